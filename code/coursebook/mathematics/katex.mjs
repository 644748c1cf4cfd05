// Formulas in, HTML out. Run by katex.py: node katex.mjs <address of KaTeX's module>.
// Standard input: {"macros": {...}, "formulas": [{"tex", "display"}, ...]}.
// Standard output: a list in the same order, of {"html"} or {"error", "position"}.

const { default: katex } = await import(process.argv[2]);

let input = "";
process.stdin.setEncoding("utf8");
for await (const piece of process.stdin) input += piece;
const { macros, formulas } = JSON.parse(input);

console.log = console.error; // TeX's \message prints; standard output is for the results

function refuse({ command }) {
  throw new Error(`${command} is not allowed in a formula`);
}

function render({ tex, display }) {
  try {
    const html = katex.renderToString(tex, {
      displayMode: display,
      macros: { ...macros }, // a copy, for a formula's own definitions end with it
      output: "htmlAndMathml",
      strict: "error",
      throwOnError: true,
      trust: refuse, // false would show the command in red, and go on
    });
    // For \lambda_{\max} KaTeX gives <msub> a third child, "function of", which MathML forbids.
    return { html: html.replace(/<mo>\u2061<\/mo>(?=<\/m(?:sub|sup|subsup|under|over|underover)>)/g, "") };
  } catch (error) {
    const position = Number.isInteger(error.position) ? error.position : 0;
    // Half of a character, as KaTeX may name it, could not be printed.
    const message = error.rawMessage ?? error.message;
    return { error: message.replace(/ input and strict mode is set to 'error'/, "").toWellFormed(), position };
  }
}

process.stdout.write(JSON.stringify(formulas.map(render)));
