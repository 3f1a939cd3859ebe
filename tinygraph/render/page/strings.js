// Every sentence that the page shows, in both languages. A value with braces takes what stands there by name.

const STRINGS = {
  en: {
    tools: "Tools", picture: "The graph", view: "View", explanation: "Explanation", steps: "Steps",
    search: "Search by op, name or file", searchHint: "Search (press /)", found: "{i} of {n}", foundNone: "none",
    heat: "Colour by", heatNone: "nothing", heatFlops: "FLOPs", heatBytes: "bytes", heatGradient: "|gradient|",
    collapseAll: "Collapse groups", expandAll: "Expand groups", collapse: "Collapse {name}", expand: "Expand {name}",
    saveSvg: "Download the picture as SVG", savePng: "Download the picture as PNG",
    otherLanguage: "日本語", theme: "Light or dark",
    closer: "Zoom in", further: "Zoom out", whole: "Show the whole graph",
    first: "First step", previous: "Previous step", play: "Play", pause: "Pause", next: "Next step", last: "Last step",
    slider: "Step", speed: "Speed", count: "{i} / {n}",
    keys: "Arrow keys step, Home and End jump, space plays, plus and minus zoom, 0 shows the whole graph, shift with "
      + "the arrow keys moves it, slash searches, escape closes.",
    forward: "forward", backward: "backward",
    opsOne: "{n} op", ops: "{n} ops",
    inputs: "Start", inputsTitle: "What is given", inputsText: "These values are not computed. The forward pass begins "
      + "with them.",
    seed: "Turning round", seedText: "The backward pass starts here: how the result changes with itself.",
    forwardOf: "Forward, op {i} of {n}", backwardOf: "Backward, op {i} of {n}",
    groupText: "A group of {n} ops, shown as one.", openText: "A click on its box, or Enter, opens it.",
    closedText: "The graph has {size} nodes; above {largest} boxes a page shows what was drawn as one as that alone.",
    from: "Inputs", gives: "Result", shapes: "Shapes", arrives: "The gradient that arrives",
    added: "It was used {n} times, so {n} contributions add up", handsOn: "What it hands on",
    partly: "{i} of {n} contributions have arrived", complete: "all {n} contributions have arrived, and add up to",
    noGradient: "No gradient flows to {name}.",
    unknown: "The numbers appear once backward has run.", numbers: "with the numbers",
    op: "Op", remarks: "Notes", made: "Made at", group: "Group", cost: "Cost", type: "Type", costText: "{flops} FLOPs, {bytes} bytes",
    least: "least {x}", most: "greatest {x}", mean: "mean {x}", zeros: "{x} zeros", nan: "{x} NaN", inf: "{x} infinite",
    elements: "{n} elements", alike: "all {x}", empty: "empty", hidden: "not shown",
    chosen: "Chosen value", close: "Close", value: "Value", gradient: "Gradient", chain: "The chain of derivatives",
    paths: "{n} paths lead to the result; the gradient is their sum.", more: "… and {n} more",
    link: "Link by link", noChain: "No gradient flows back to here.", isRoot: "This is the result itself.",
    spokenInputs: "Step {i} of {n}, start. Given: {names}.",
    spokenForward: "Step {i} of {n}, forward, {op}. {name} = {value}.",
    spokenSeed: "Step {i} of {n}. The backward pass begins.",
    spokenBackward: "Step {i} of {n}, backward, {op}. {handed}.", spokenTo: "to {name}: {value}",
    label: "{op}, {name}",
  },
  ja: {
    tools: "ツール", picture: "計算グラフ", view: "表示", explanation: "説明", steps: "ステップ",
    search: "演算・名前・ファイルで検索", searchHint: "検索（/ キー）", found: "{i} / {n}", foundNone: "なし",
    heat: "色分け", heatNone: "なし", heatFlops: "FLOPs", heatBytes: "バイト数", heatGradient: "|勾配|",
    collapseAll: "グループを畳む", expandAll: "グループを開く", collapse: "{name} を畳む", expand: "{name} を開く",
    saveSvg: "図を SVG で保存", savePng: "図を PNG で保存",
    otherLanguage: "English", theme: "明るい／暗い",
    closer: "拡大", further: "縮小", whole: "全体を表示",
    first: "最初へ", previous: "前へ", play: "再生", pause: "一時停止", next: "次へ", last: "最後へ",
    slider: "ステップ", speed: "速さ", count: "{i} / {n}",
    keys: "矢印キーで前後へ、Home と End で両端へ、スペースで再生、+ と − で拡大縮小、0 で全体、Shift と矢印で移動、/ で検索、Esc で閉じる。",
    forward: "順伝播", backward: "逆伝播",
    opsOne: "演算 {n} 個", ops: "演算 {n} 個",
    inputs: "はじめ", inputsTitle: "与えられた値", inputsText: "これらは計算されません。順伝播はここから始まります。",
    seed: "折り返し", seedText: "逆伝播はここから始まります。結果の、結果自身に対する微分です。",
    forwardOf: "順伝播　演算 {i} / {n}", backwardOf: "逆伝播　演算 {i} / {n}",
    groupText: "{n} 個の演算をまとめたグループです。", openText: "箱をクリックするか Enter を押すと開きます。",
    closedText: "このグラフには {size} 個のノードがあります。{largest} 個の箱を超えるページでは、まとめたものを開けません。",
    from: "入力", gives: "結果", shapes: "形状", arrives: "届いた勾配",
    added: "{n} か所で使われたので、{n} 個の寄与を足します", handsOn: "渡す勾配",
    partly: "{n} 個の寄与のうち {i} 個が届きました", complete: "{n} 個の寄与がすべて届き、その和は",
    noGradient: "{name} へ勾配は流れません。",
    unknown: "数値は逆伝播（backward）の実行後に表示されます。", numbers: "数値を代入",
    op: "演算", remarks: "注記", made: "作られた行", group: "グループ", cost: "計算量", type: "型", costText: "{flops} FLOPs、{bytes} バイト",
    least: "最小 {x}", most: "最大 {x}", mean: "平均 {x}", zeros: "ゼロ {x} 個", nan: "NaN {x} 個", inf: "無限大 {x} 個",
    elements: "{n} 要素", alike: "すべて {x}", empty: "空", hidden: "省略",
    chosen: "選んだ値", close: "閉じる", value: "値", gradient: "勾配", chain: "微分の連鎖",
    paths: "結果まで {n} 本の経路があり、勾配はその和です。", more: "… ほか {n} 本",
    link: "一つずつ", noChain: "ここへ勾配は流れません。", isRoot: "これが結果です。",
    spokenInputs: "ステップ {i} / {n}、はじめ。与えられた値：{names}。",
    spokenForward: "ステップ {i} / {n}、順伝播、{op}。{name} = {value}。",
    spokenSeed: "ステップ {i} / {n}。逆伝播が始まります。",
    spokenBackward: "ステップ {i} / {n}、逆伝播、{op}。{handed}。", spokenTo: "{name} へ {value}",
    label: "{op}、{name}",
  },
};

let language = "en";

function say(key, values = {}) {
  return STRINGS[language][key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

function setLanguage(code) {
  language = code in STRINGS ? code : "en";
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(element.dataset.label));
  }
  for (const element of document.querySelectorAll("[data-hint]")) {
    element.title = say(element.dataset.hint);
    if (element.type === "search") element.placeholder = say(element.dataset.hint);
  }
}
