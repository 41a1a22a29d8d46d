// The switch for what lies under a picture: a chequerboard, white or black.
import { html } from "./dom.js";

export const GROUND_NAMES = [
  ["check", "Chequerboard"],
  ["white", "White"],
  ["black", "Black"],
];

export function Grounds({ value, onChange }) {
  return html`
    <div class="grounds" role="group" aria-label="Under the picture">
      ${GROUND_NAMES.map(
        ([name, label]) => html`
          <button
            key=${name}
            class=${`ground-${name}`}
            aria-label=${label}
            title=${label}
            aria-pressed=${String(value === name)}
            onClick=${() => onChange(name)}
          ></button>
        `,
      )}
    </div>
  `;
}
