"""Operators that learn with scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from towhee.functional.column_method import takes_columns
from towhee.functional.learning import Learning

if TYPE_CHECKING:
    from typing import Self

    from towhee.columns import Columns


class Estimating(Learning):
    """Scale, encode, group, and predict; after ``set_training`` or ``set_evaluating``.

    Each takes the options of the class of scikit-learn that it is made of.
    """

    __slots__ = ()

    @takes_columns()
    def standard_scaler(
        self,
        /,
        name: str = "standard_scaler",
        *,
        columns: Columns | None = None,
        **options: object,
    ) -> Self:
        """Learn mean and deviation of numbers, and give each number without them.

        >>> DataCollection([1.0, 3.0]).set_training().standard_scaler().to_list()
        [array([-1.]), array([1.])]

        :param name: under which the state keeps it.
        :param columns: the features, each a number or a vector, and a vector.
        :param options: of scikit-learn's ``StandardScaler``.
        """
        return self._stateful("standard_scaler", name, columns, options)

    @takes_columns()
    def min_max_scaler(
        self,
        /,
        name: str = "min_max_scaler",
        *,
        columns: Columns | None = None,
        **options: object,
    ) -> Self:
        """Learn the least and the greatest of numbers, which become 0 and 1.

        >>> DataCollection([10, 15, 30]).set_training().min_max_scaler().to_list()
        [array([0.]), array([0.25]), array([1.])]

        :param name: under which the state keeps it.
        :param columns: the features, each a number or a vector, and a vector.
        :param options: of scikit-learn's ``MinMaxScaler``.
        """
        return self._stateful("min_max_scaler", name, columns, options)

    @takes_columns()
    def num_discretizer(
        self,
        /,
        name: str = "num_discretizer",
        *,
        columns: Columns | None = None,
        **options: object,
    ) -> Self:
        """Learn intervals of numbers, and tell in which of them each lies.

        >>> numbers = DataCollection([1, 2, 8, 9]).set_training()
        >>> numbers.num_discretizer(n_bins=2).to_list()[0]
        array([1., 0.])

        :param name: under which the state keeps it.
        :param columns: the features, each a number or a vector, and a vector.
        :param options: of scikit-learn's ``KBinsDiscretizer``; 10 bins by default, and
            a vector with a 1 for the one that is meant.
        """
        return self._stateful("num_discretizer", name, columns, options)

    @takes_columns()
    def cate_one_hot_encoder(
        self,
        /,
        name: str = "cate_one_hot_encoder",
        *,
        columns: Columns | None = None,
        **options: object,
    ) -> Self:
        """Learn categories, and give a vector with a 1 for the one that is meant.

        >>> animals = DataCollection(["dog", "cat"]).set_training()
        >>> animals.cate_one_hot_encoder().to_list()
        [array([0., 1.]), array([1., 0.])]

        :param name: under which the state keeps it.
        :param columns: the categories, numbers or text, and a vector.
        :param options: of scikit-learn's ``OneHotEncoder``; vectors are not sparse.
        """
        return self._stateful("cate_one_hot_encoder", name, columns, options)

    @takes_columns()
    def pca(
        self,
        /,
        name: str = "pca",
        *,
        columns: Columns | None = None,
        **options: object,
    ) -> Self:
        """Learn in which directions vectors differ, and give the first few of them.

        >>> vectors = DataCollection([[0, 0], [1, 2], [2, 4]]).set_training()
        >>> [vector.shape for vector in vectors.pca(n_components=1)]
        [(1,), (1,), (1,)]

        :param name: under which the state keeps it.
        :param columns: the features, each a number or a vector, and a vector.
        :param options: of scikit-learn's ``PCA``.
        """
        return self._stateful("pca", name, columns, options)

    @takes_columns()
    def kmeans(
        self,
        /,
        name: str = "kmeans",
        *,
        columns: Columns | None = None,
        **options: object,
    ) -> Self:
        """Learn where rows lie close together, and number the group of each.

        >>> numbers = DataCollection([1, 2, 80, 90]).set_training()
        >>> a, b, c, d = numbers.kmeans(n_clusters=2, random_state=0)
        >>> a == b, b == c, c == d
        (True, False, True)

        :param name: under which the state keeps it.
        :param columns: the features, each a number or a vector, and the group.
        :param options: of scikit-learn's ``KMeans``.
        """
        return self._stateful("kmeans", name, columns, options)

    @takes_columns()
    def linear_regression(
        self,
        /,
        name: str = "linear_regression",
        *,
        columns: Columns | None = None,
        **options: object,
    ) -> Self:
        """Learn a number that grows evenly with the features.

        >>> pairs = DataCollection([(1, 10), (2, 20), (3, 30)]).set_training()
        >>> [round(number) for number in pairs.linear_regression()]
        [10, 20, 30]

        :param name: under which the state keeps it.
        :param columns: the features and the number to learn, and what is predicted.
        :param options: of scikit-learn's ``LinearRegression``.
        """
        return self._stateful("linear_regression", name, columns, options)

    @takes_columns()
    def logistic_regression(
        self,
        /,
        name: str = "logistic_regression",
        *,
        columns: Columns | None = None,
        **options: object,
    ) -> Self:
        """Learn to tell labels apart by a weighted sum of the features.

        >>> from towhee.columns import Entity
        >>> rows = [Entity(x=-1, label="cold"), Entity(x=1, label="warm")]
        >>> train = DataCollection(rows).set_training()
        >>> chain = train.logistic_regression[("x", "label"), "guess"](name="weather")
        >>> [row.guess for row in chain]
        ['cold', 'warm']

        :param name: under which the state keeps it.
        :param columns: the features and the label, and what is predicted.
        :param options: of scikit-learn's ``LogisticRegression``.
        """
        return self._stateful("logistic_regression", name, columns, options)

    @takes_columns()
    def decision_tree(
        self,
        /,
        name: str = "decision_tree",
        *,
        columns: Columns | None = None,
        **options: object,
    ) -> Self:
        """Learn questions that tell labels apart.

        >>> pairs = DataCollection([(1, "odd"), (2, "even"), (3, "odd")]).set_training()
        >>> pairs.decision_tree(random_state=0).to_list()
        ['odd', 'even', 'odd']

        :param name: under which the state keeps it.
        :param columns: the features and the label, and what is predicted.
        :param options: of scikit-learn's ``DecisionTreeClassifier``.
        """
        return self._stateful("decision_tree", name, columns, options)

    @takes_columns()
    def random_forest(
        self,
        /,
        name: str = "random_forest",
        *,
        columns: Columns | None = None,
        **options: object,
    ) -> Self:
        """Learn many trees from parts of the rows, and let them vote.

        >>> pairs = DataCollection([(1, "low"), (2, "low"), (9, "high")] * 9)
        >>> chain = pairs.set_training().random_forest(n_estimators=5, random_state=0)
        >>> chain[0], chain[2]
        ('low', 'high')

        :param name: under which the state keeps it.
        :param columns: the features and the label, and what is predicted.
        :param options: of scikit-learn's ``RandomForestClassifier``.
        """
        return self._stateful("random_forest", name, columns, options)

    @takes_columns()
    def svc(
        self,
        /,
        name: str = "svc",
        *,
        columns: Columns | None = None,
        **options: object,
    ) -> Self:
        """Learn the widest border between labels.

        >>> pairs = DataCollection([([0, 1], "a"), ([1, 0], "b")]).set_training()
        >>> pairs.svc(kernel="linear").to_list()
        ['a', 'b']

        :param name: under which the state keeps it.
        :param columns: the features and the label, and what is predicted.
        :param options: of scikit-learn's ``SVC``.
        """
        return self._stateful("svc", name, columns, options)
