// Two pictures against each other: side by side, or one laid over the other with a slider.
import { net, reachable, urls } from "./api.js";
import { Segments } from "./controls.js";
import { Dialog } from "./dialog.js";
import { html, useEffect, useState } from "./dom.js";
import { icon } from "./icons.js";
import { details, pictures } from "./pictures.js";
import { makeStore, useStore } from "./store.js";
import { complain } from "./toast.js";
import { Grounds } from "./grounds.js";

const MODES = [
  ["side", "Side by side"],
  ["slider", "Slider"],
];

/** The pictures that were picked (two at most), and whether they are being compared. */
export const comparing = makeStore({ ids: [], open: false });

export function toggleCompare(id) {
  comparing.set(({ ids }) => ({
    ids: ids.includes(id) ? ids.filter((known) => known !== id) : [...ids.slice(-1), id],
  }));
}

export const compareNow = (ids) => comparing.set({ ids, open: true });
const clear = () => comparing.set({ ids: [], open: false });

/** What is picked so far, at the foot of the page. */
export function CompareTray() {
  const { ids, open } = useStore(comparing);
  if (ids.length === 0 || open) return null;
  return html`
    <div class="tray" role="region" aria-label="Pictures to compare">
      ${ids.map(
        (id) => html`
          <img class="ground-check" key=${id} src=${urls.thumbnail(id)} alt="" />
        `,
      )}
      ${
        ids.length === 1 &&
        html`
          <span class="slot"></span>
        `
      }
      <span role="status">${ids.length === 1 ? "Pick one more" : "Two picked"}</span>
      <button
        class="primary small"
        disabled=${ids.length < 2}
        onClick=${() => comparing.set({ open: true })}
      >
        Compare
      </button>
      <button class="icon" aria-label="Clear the selection" onClick=${clear}>${icon("x")}</button>
    </div>
  `;
}

export function CompareDialog() {
  const { ids, open } = useStore(comparing);
  const known = useStore(pictures).byId;
  const [mode, setMode] = useState("side");
  const [ground, setGround] = useState("check");
  const [at, setAt] = useState(50);
  const near = useStore(net, reachable);
  useEffect(() => {
    if (!open || !near) return;
    for (const id of ids) if (!pictures.get().byId[id]) details(id).catch(complain);
  }, [open, near]);
  if (!open) return null;
  const [left, right] = ids.map((id) => ({ id, ...known[id] }));
  return html`
    <${Dialog} label="Compare" wide onClose=${clear}>
      <div class="row">
        <${Segments} label="How to compare" value=${mode} options=${MODES} onChange=${setMode} />
        <${Grounds} value=${ground} onChange=${setGround} />
      </div>
      ${
        mode === "side"
          ? html`
              <div class=${left.width >= 1.5 * left.height ? "pair wide" : "pair"}>
                ${[left, right].map(
                  (picture) => html`
                    <figure key=${picture.id}>
                      <img
                        class=${`ground-${ground}`}
                        src=${urls.file(picture.id)}
                        alt=${picture.prompt ?? "Picture"}
                      />
                      <${Caption} picture=${picture} other=${picture === left ? right : left} />
                    </figure>
                  `,
                )}
              </div>
            `
          : html`
              <div class="slider">
                <div
                  class=${`laid ground-${ground}`}
                  style=${{ aspectRatio: String((left.width ?? 1) / (left.height ?? 1)) }}
                >
                  <img
                    src=${urls.file(left.id)}
                    alt=${left.prompt ?? "First picture"}
                    style=${{ clipPath: `inset(0 ${100 - at}% 0 0)` }}
                  />
                  <img
                    src=${urls.file(right.id)}
                    alt=${right.prompt ?? "Second picture"}
                    style=${{ clipPath: `inset(0 0 0 ${at}%)` }}
                  />
                  <span class="edge" style=${{ left: `${at}%` }}></span>
                </div>
                <input
                  type="range"
                  min="0"
                  max="100"
                  value=${at}
                  aria-label="How much of the first picture"
                  onInput=${(event) => setAt(Number(event.currentTarget.value))}
                />
                <div class="under">
                  <${Caption} picture=${left} other=${right} />
                  <${Caption} picture=${right} other=${left} />
                </div>
              </div>
            `
      }
    <//>
  `;
}

/** What a picture has that the other has not; equal things need not be said. */
function Caption({ picture, other }) {
  const told = ["prompt", "seed", "style", "model"].filter(
    (name) => picture[name] !== other[name] && picture[name] != null,
  );
  return html`
    <figcaption>
      ${
        told.length
          ? told.map(
              (name) => html`
                <span key=${name}>${name === "prompt" ? "" : `${name} `}${picture[name]}</span>
              `,
            )
          : html`
              <span>the same recipe</span>
            `
      }
    </figcaption>
  `;
}
