"""What an operator may use to show what its model looks at.

``subject.Subject`` is a model with how it prepares an image; its ``explain`` gives a
``heatmap.Heatmap`` that lies on the image as it was given. The methods themselves are
functions on any torch module: ``grad_cam``, ``attention_rollout`` and
``integrated_gradients``. Nothing heavy is loaded before it is used.
"""
