// Icons are decoration: what a control does is said by its text or its label.
import { h } from "./dom.js";
import nodes from "../vendor/lucide.js";

export function icon(name, size = 18) {
  return h(
    "svg",
    {
      class: "lucide",
      width: size,
      height: size,
      viewBox: "0 0 24 24",
      fill: "none",
      stroke: "currentColor",
      "stroke-width": 1.75,
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
      "aria-hidden": "true",
      focusable: "false",
    },
    nodes[name].map(([tag, attributes]) => h(tag, attributes)),
  );
}
