// Shortcuts that hold everywhere, and the sheet that lists them.
import { Dialog } from "./dialog.js";
import { html } from "./dom.js";

/** Whether a key belongs to a field and not to us. */
export function typing(event) {
  const { target } = event;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

const SHEET = [
  [
    "Anywhere",
    [
      ["/", "To the prompt box or the search"],
      ["D H S Q ,", "Draw, history, sweep, queue, settings"],
      ["T", "System, light or dark"],
      ["?", "This list"],
    ],
  ],
  [
    "In the prompt box",
    [
      ["Enter", "Draw"],
      ["Shift Enter", "New line"],
    ],
  ],
  [
    "Over a picture",
    [
      ["← →", "Previous, next"],
      ["+ − 0", "Zoom"],
      ["B", "Change what lies under it"],
      ["O", "Show what the report found"],
      ["F", "Favourite"],
      ["V", "Vary a little; Shift V, a lot"],
      ["E", "Draw with edits"],
      ["Delete", "Move to the trash"],
      ["Esc", "Close"],
    ],
  ],
];

export function ShortcutSheet({ onClose }) {
  return html`
    <${Dialog} label="Shortcuts" onClose=${onClose}>
      ${SHEET.map(
        ([where, keys]) => html`
          <section class="shortcuts" key=${where}>
            <h3>${where}</h3>
            <dl>
              ${keys.map(
                ([key, what]) => html`
                  <div key=${key}>
                    <dt>
                      ${key.split(" ").map(
                        (part) => html`
                          <kbd>${part}</kbd>
                        `,
                      )}
                    </dt>
                    <dd>${what}</dd>
                  </div>
                `,
              )}
            </dl>
          </section>
        `,
      )}
    <//>
  `;
}
