// Formulas in, HTML out. Run by katex.py: node katex.mjs <address of KaTeX's module>.
// Standard input: {"macros": {...}, "formulas": [{"tex", "display"}, ...]}.
// Standard output: a list in the same order, of {"html"} or {"error", "position"}.

const { default: katex } = await import(process.argv[2]);

let input = "";
process.stdin.setEncoding("utf8");
for await (const piece of process.stdin) input += piece;
const { macros, formulas } = JSON.parse(input);

// KaTeX only warns of characters that its fonts lack: the reader would see any font's.
let warnings = [];
console.warn = (message) => warnings.push(message);

function refuse({ command }) {
  throw new Error(`${command} is not allowed in a formula`);
}

function render({ tex, display }) {
  warnings = [];
  try {
    const html = katex.renderToString(tex, {
      displayMode: display,
      macros: { ...macros }, // a copy, for a formula's own definitions end with it
      output: "htmlAndMathml",
      strict: "error",
      throwOnError: true,
      trust: refuse, // false would show the command in red, and go on
    });
    if (warnings.length) throw new Error(warnings[0]);
    return { html };
  } catch (error) {
    const position = Number.isInteger(error.position) ? error.position : 0;
    return { error: error.rawMessage ?? error.message, position };
  }
}

process.stdout.write(JSON.stringify(formulas.map(render)));
