// Trims a style sheet to what pages use. Reads {css, used, words, variables} as JSON from
// standard input, writes the style sheet. `words` may stand for a class, an id or a value.
import { readFileSync } from "node:fs";
import postcss from "postcss";
import { PurgeCSS } from "purgecss";

const { css, used, words, variables } = JSON.parse(readFileSync(0, "utf8"));
const found = {
  tags: used.tags,
  classes: used.classes,
  ids: used.ids,
  attributes: { names: used.attributes, values: used.values },
  undetermined: words,
};
const [purged] = await new PurgeCSS().purge({
  content: [{ raw: "", extension: "used" }],
  extractors: [{ extensions: ["used"], extractor: () => found }],
  css: [{ raw: css }],
  safelist: { standard: ["html", "body"], variables },
  variables: true,
  keyframes: true,
});

const root = postcss.parse(purged.css);
const licences = new Set(); // each once
root.walkComments((comment) => {
  if (!comment.text.startsWith("!") || licences.has(comment.text)) comment.remove();
  licences.add(comment.text);
});
root.walkDecls((declaration) => {
  declaration.raws = { before: "", between: ":" };
  declaration.value = declaration.value.trim();
});
root.walkRules((rule) => {
  rule.selector = rule.selector.replace(/\s+/g, " ").replace(/ ?, ?/g, ",");
  rule.raws = { before: "", between: "", after: "", semicolon: false };
});
root.walkAtRules((rule) => {
  rule.raws = { before: "", between: "", after: "", afterName: rule.params ? " " : "", semicolon: false };
});
root.raws = { after: "\n", semicolon: false };

// A font that no rule names is not loaded anyway; its source need not be there.
const rest = root.clone();
rest.walkAtRules("font-face", (rule) => rule.remove());
const text = rest.toString();
root.walkAtRules("font-face", (rule) => {
  let family = "";
  rule.walkDecls("font-family", (declaration) => { family = declaration.value.replace(/["'\\]/g, ""); });
  if (!text.replaceAll("\\", "").includes(family)) rule.remove();
});
// Rules without declarations, and at-rules that held only such
let before;
do {
  before = root.toString().length;
  root.walk((node) => {
    if ((node.type === "rule" || node.type === "atrule") && node.nodes?.length === 0) node.remove();
  });
} while (root.toString().length !== before);
process.stdout.write(root.toString());
