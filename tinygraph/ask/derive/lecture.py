r"""The lecture's words: what each node of chapter 5 computes, and what its backward pass does, in English and Japanese.

An op that is not here is written as a function of its inputs, and its backward pass as the chain rule.
"""

from __future__ import annotations

FORWARD = {
    "add": "A + B",
    "subtract": "A - B",
    "multiply": r"A \odot B",
    "divide": r"\frac{A}{B}",
    "negative": "-X",
    "reciprocal": r"\frac{1}{X}",
    "square": "X^2",
    "sqrt": r"\sqrt{X}",
    "power": "A^B",
    "exp": r"\exp(X)",
    "log": r"\log(X)",
    "matmul": r"X \cdot W",
    "dot": r"A \cdot B",
    "add_bias": "X + B",
    "affine": r"X \cdot W + B",
    "sigmoid": r"\frac{1}{1 + \exp(-X)}",
    "relu": r"\max(X, 0)",
    "softmax_with_loss": r"-\frac{1}{N} \sum T \odot \log Y",
    "cross_entropy_error": r"-\frac{1}{N} \sum T \odot \log Y",
    "positive": "X",
    "transpose": r"A^\top",
}
"""An op's value in the letters of its card: its arguments as capitals, Y for a hidden output."""

HIDDEN = {"softmax_with_loss": r"\operatorname{softmax}(Z)"}
"""What the hidden output Y of an op is, which its rule uses."""

TITLES = {
    "add": ("Addition node", "加算ノード"),
    "subtract": ("Subtraction node", "減算ノード"),
    "negative": ("Sign node", "符号反転ノード"),
    "square": ("Square node", "2乗ノード"),
    "tanh": ("tanh layer", "tanhレイヤ"),
    "multiply": ("Multiplication node", "乗算ノード"),
    "divide": ("Division node", "除算ノード"),
    "reciprocal": ("Reciprocal node", "逆数（/）ノード"),
    "exp": ("exp node", "expノード"),
    "log": ("log node", "logノード"),
    "sum": ("Sum node", "総和（Σ）ノード"),
    "mean": ("Mean node", "平均ノード"),
    "matmul": ("Matrix product (dot) node", "行列の積（dot）ノード"),
    "dot": ("Dot node", "dotノード"),
    "add_bias": ("Bias node", "バイアスの加算ノード"),
    "affine": ("Affine layer", "Affineレイヤ"),
    "relu": ("ReLU layer", "ReLUレイヤ"),
    "sigmoid": ("Sigmoid layer", "Sigmoidレイヤ"),
    "softmax": ("Softmax layer", "Softmaxレイヤ"),
    "cross_entropy_error": ("Cross entropy layer", "交差エントロピー誤差レイヤ"),
    "softmax_with_loss": ("Softmax-with-Loss layer", "Softmax-with-Lossレイヤ"),
    "conv2d": ("Convolution layer", "Convolutionレイヤ"),
    "max_pool2d": ("Max pooling layer", "Poolingレイヤ（Maxプーリング）"),
    "avg_pool2d": ("Average pooling layer", "Poolingレイヤ（平均プーリング）"),
    "reshape": ("Reshape node", "形状を変える（reshape）ノード"),
}
"""What a node is called, in English and in Japanese."""

SENTENCES = {
    "add": (
        "An addition hands the upstream derivative on as it is.",
        "足し算は、上流の微分をそのまま下流へ渡す。",
    ),
    "subtract": (
        "The first input gets the upstream derivative as it is, the second with the other sign.",
        "引かれる側には上流の微分をそのまま、引く側には符号を変えて渡す。",
    ),
    "multiply": (
        "The upstream derivative is multiplied by the other input, so the two change places.",
        "掛け算は、上流の微分にもう一方の入力（入れ替えた値）を掛けて渡す。",
    ),
    "divide": (
        "The numerator gets the upstream derivative over the denominator, the denominator that times minus the "
        "quotient.",
        "分子には上流の微分を分母で割って渡し、分母にはそれに商を掛け、符号を変えて渡す。",
    ),
    "negative": (
        "The upstream derivative changes its sign.",
        "上流の微分の符号を変えて渡す。",
    ),
    "tanh": (
        "It can be computed from the output y alone: 1 - y².",
        "順伝播の出力 y だけから、1 - y² と計算できる。",
    ),
    "square": (
        "The derivative of x² is 2x.",
        "x² の微分は 2x である。",
    ),
    "softmax": (
        "Each logit moves all probabilities, since they add up to 1.",
        "確率の合計は 1 なので、1 つのロジットがすべての確率を動かす。",
    ),
    "reciprocal": (
        "The derivative of 1/x is -y², with the output y of the forward pass.",
        "1/x の微分は、順伝播の出力 y を使って -y² と書ける。",
    ),
    "exp": (
        "The derivative of exp is its own output.",
        "exp の微分は、順伝播の出力そのものである。",
    ),
    "log": (
        "The derivative of log x is 1/x.",
        "log x の微分は 1/x である。",
    ),
    "sum": (
        "Each summand gets a copy of the upstream derivative.",
        "足される要素のそれぞれに、上流の微分を複製して渡す。",
    ),
    "mean": (
        "Each element gets its share of the upstream derivative.",
        "各要素に、上流の微分を個数で割って渡す。",
    ),
    "matmul": (
        "Each factor gets the upstream derivative times the other factor, transposed, on the side where the "
        "shapes fit.",
        "それぞれの行列には、上流の微分に、もう一方の行列の転置を、形状が合う側から掛けて渡す。",
    ),
    "dot": (
        "Each factor gets the upstream derivative times the other factor, transposed.",
        "それぞれの因子には、上流の微分に、もう一方の因子の転置を掛けて渡す。",
    ),
    "add_bias": (
        "The bias was added to every row, so its derivative is the sum over the rows.",
        "バイアスは各行に足されたので、その微分は行方向（データごと）の和になる。",
    ),
    "affine": (
        "Each factor gets the upstream derivative times the other factor, transposed, on the side where the "
        "shapes fit; the bias was added to every row, so its derivative is the sum over the rows.",
        "それぞれの行列には、上流の微分に、もう一方の行列の転置を、形状が合う側から掛けて渡す。バイアスは各行に足さ"
        "れたので、その微分は行方向の和になる。",
    ),
    "relu": (
        "Where the input was above 0 the upstream derivative passes, elsewhere it stops.",
        "入力が 0 より大きかった要素では上流の微分を通し、それ以外では止める。",
    ),
    "sigmoid": (
        "It can be computed from the output y alone: y (1 - y).",
        "順伝播の出力 y だけから、y (1 - y) と計算できる。",
    ),
    "softmax_with_loss": (
        "All of softmax and cross entropy comes down to the difference of answer Y and label T, a one-hot row a "
        "sample.",
        "Softmax と交差エントロピー誤差を合わせると、出力 Y と教師ラベル T（各行が "
        "one-hot）の差という簡単な形になる。",
    ),
    "conv2d": (
        "As for an Affine layer, on the windows of the images laid out as rows (im2col); where windows overlap their "
        "gradients are added up (col2im).",
        "画像の各領域を行に並べれば（im2col）、Affineレイヤと同じである。重なり合う領域の勾配は足し合わせる（col2im）。",
    ),
    "max_pool2d": (
        "The largest element of each window gets the upstream derivative, the others get nothing.",
        "各領域の最大の要素だけに上流の微分を渡し、それ以外には 0 を渡す。",
    ),
    "avg_pool2d": (
        "Each element of a window gets its share of the upstream derivative.",
        "各領域の要素に、上流の微分を要素数で割って渡す。",
    ),
    "reshape": (
        "The upstream derivative is put back into the shape of the input.",
        "上流の微分を、入力の形状に戻して渡す。",
    ),
    "cross_entropy_error": (
        "Only where the label is does the probability count.",
        "教師ラベルの立っている要素の確率だけが効く。",
    ),
}
"""What a node's backward pass does, in English and in Japanese."""

WORDS = {
    "en": {
        "title": "The gradients of {L}",
        "batch": "N = {n} is the number of samples.",
        "forward": "Forward",
        "backward": "Backward",
        "start": "The derivative of the result with respect to itself",
        "chain": "chain rule",
        "other": "{op} node",
        "generic": "By the chain rule: the upstream derivative times that of {op}.",
        "sum": "{x} is used {k} times: what comes back from its uses adds up.",
        "axis": "axis",
    },
    "ja": {
        "title": "{L} の勾配の導出",
        "batch": "N = {n} はデータの個数。",
        "forward": "順伝播",
        "backward": "逆伝播",
        "start": "出発点：結果をそれ自身で微分する",
        "chain": "連鎖律",
        "other": "{op}ノード",
        "generic": "連鎖律により、上流の微分に {op} の微分を掛ける。",
        "sum": "{x} は {k} か所で使われて（分岐して）いるので、それぞれから戻る微分を足し合わせる。",
        "axis": "軸",
    },
}
