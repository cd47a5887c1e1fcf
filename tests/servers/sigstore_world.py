"""A sigstore of a test's own: who certifies, who logs, and what a bundle then holds.

Written after the formats that it speaks: RFC 6962 (logs, certificate timestamps), the
extensions of Fulcio's certificates, Rekor's ``hashedrekord`` entries and C2SP's signed
notes. The library ``sigstore`` reads all of it as it reads the public one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
ISSUER = ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
ISSUER_V2 = ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
MINUTES = timedelta(minutes=10)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

Key = ec.EllipticCurvePrivateKey


def new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def public_bytes(key: Key) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def key_id(key: Key) -> bytes:
    return hashlib.sha256(public_bytes(key)).digest()


def signed(key: Key, content: bytes) -> bytes:
    return key.sign(content, ec.ECDSA(hashes.SHA256()))


@dataclass(frozen=True, slots=True)
class SigstoreWorld:
    """The keys of one sigstore, and what its services do."""

    authority: Key = field(default_factory=new_key)
    certificate_log: Key = field(default_factory=new_key)
    log: Key = field(default_factory=new_key)

    def trusted_root(self) -> bytes:
        """The file that says whose signatures count."""
        start = {"start": "2020-01-01T00:00:00Z"}

        def log(key: Key, url: str) -> dict[str, Any]:
            return {
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": b64(public_bytes(key)),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": start,
                },
                "logId": {"keyId": b64(key_id(key))},
            }

        chain = [{"rawBytes": b64(_der(self._root()))}]
        root = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.log, "https://rekor.example")],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "example", "commonName": "example"},
                    "uri": "https://fulcio.example",
                    "certChain": {"certificates": chain},
                    "validFor": start,
                }
            ],
            "ctlogs": [log(self.certificate_log, "https://ctfe.example")],
            "timestampAuthorities": [],
        }
        return json.dumps(root).encode()

    def sign(
        self,
        statement: bytes,
        identity: str = "alice@acme.example",
        issuer: str = "https://id.example",
        *,
        logged_at: datetime = NOW,
        certified_at: datetime = NOW,
    ) -> dict[str, Any]:
        """What ``sigstore sign`` would make: certificate, signature, entry in the log."""
        key = new_key()
        certificate = self._certify(key, identity, issuer, certified_at)
        signature = signed(key, statement)
        digest = hashlib.sha256(statement).digest()
        entry = self._entry(certificate, signature, digest, logged_at)
        return {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": b64(_der(certificate))},
                "tlogEntries": [entry],
            },
            "messageSignature": {
                "messageDigest": {"algorithm": "SHA2_256", "digest": b64(digest)},
                "signature": b64(signature),
            },
        }

    def _root(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        public = self.authority.public_key()
        return (
            x509.CertificateBuilder(name, name, public)
            .serial_number(1)
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
            .add_extension(x509.BasicConstraints(True, 0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(public), critical=False
            )
            .sign(self.authority, hashes.SHA256())
        )

    def _certify(
        self, key: Key, identity: str, issuer: str, at: datetime
    ) -> x509.Certificate:
        """A certificate for some minutes, that a log of certificates has taken."""
        is_url = identity.startswith("https://")
        name = (x509.UniformResourceIdentifier if is_url else x509.RFC822Name)(identity)
        code_signing = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(
            self.authority.public_key()
        )
        utf8 = b"\x0c" + bytes([len(issuer)]) + issuer.encode()
        builder = (
            x509.CertificateBuilder(self._root().subject, x509.Name([]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(at - MINUTES)
            .not_valid_after(at + MINUTES)
            .add_extension(_usage(), critical=True)
            .add_extension(code_signing, critical=False)
            .add_extension(identifier, critical=False)
            .add_extension(x509.SubjectAlternativeName([name]), critical=True)
            .add_extension(_raw(ISSUER, issuer.encode()), critical=False)
            .add_extension(_raw(ISSUER_V2, utf8), critical=False)
        )
        before = builder.sign(self.authority, hashes.SHA256()).tbs_certificate_bytes
        timestamps = _raw(SCT_LIST, self._timestamps(before, at))
        builder = builder.add_extension(timestamps, critical=False)
        return builder.sign(self.authority, hashes.SHA256())

    def _timestamps(self, certificate: bytes, at: datetime) -> bytes:
        """The list of one signed timestamp, RFC 6962 section 3.3, as an octet string."""
        milliseconds = int(at.timestamp() * 1000)
        head = struct.pack("!BBQH", 0, 0, milliseconds, 1)
        length = len(certificate).to_bytes(3)
        entry = key_id(self.authority) + length + certificate
        signature = signed(self.certificate_log, head + entry + b"\0\0")
        timestamp = (
            b"\0"
            + key_id(self.certificate_log)
            + struct.pack("!QHBBH", milliseconds, 0, 4, 3, len(signature))
            + signature
        )
        listed = struct.pack("!H", len(timestamp)) + timestamp
        content = struct.pack("!H", len(listed)) + listed
        return b"\x04" + bytes([len(content)]) + content

    def _entry(
        self,
        certificate: x509.Certificate,
        signature: bytes,
        digest: bytes,
        at: datetime,
    ) -> dict[str, Any]:
        """The second of two entries, with the log's promise and its proof."""
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        content = {"content": b64(signature), "publicKey": {"content": b64(pem)}}
        digested = {"hash": {"algorithm": "sha256", "value": digest.hex()}}
        body = _canonical(
            {
                "apiVersion": "0.0.1",
                "kind": "hashedrekord",
                "spec": {"data": digested, "signature": content},
            }
        )
        promised = {
            "body": b64(body),
            "integratedTime": int(at.timestamp()),
            "logID": key_id(self.log).hex(),
            "logIndex": 1,
        }
        first = hashlib.sha256(b"\0somebody else's").digest()
        leaf = hashlib.sha256(b"\0" + body).digest()
        top = hashlib.sha256(b"\1" + first + leaf).digest()
        return {
            "logIndex": "1",
            "logId": {"keyId": b64(key_id(self.log))},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
            "integratedTime": str(promised["integratedTime"]),
            "inclusionPromise": {
                "signedEntryTimestamp": b64(signed(self.log, _canonical(promised)))
            },
            "inclusionProof": {
                "logIndex": "1",
                "rootHash": b64(top),
                "treeSize": "2",
                "hashes": [b64(first)],
                "checkpoint": {"envelope": self._checkpoint(2, top)},
            },
            "canonicalizedBody": b64(body),
        }

    def _checkpoint(self, size: int, top: bytes) -> str:
        note = f"rekor.example - 1\n{size}\n{b64(top)}\n"
        signature = key_id(self.log)[:4] + signed(self.log, note.encode())
        return f"{note}\n— rekor.example {b64(signature)}\n"


def _usage(*, signs_certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _raw(oid: ObjectIdentifier, value: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(oid, value)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
