// Everything about one picture and everything that can be done with it.
import { urls } from "./api.js";
import { copyPicture } from "./clipboard.js";
import { html } from "./dom.js";
import { usePlainDownload } from "./download.js";
import { fillFrom } from "./draft.js";
import { icon } from "./icons.js";
import { act } from "./jobs.js";
import { bringBack, mark, nameOf } from "./pictures.js";
import { go } from "./router.js";
import { Commands, Labels, Recipe, Report } from "./sections.js";
import { toggleCompare, comparing } from "./compare.js";
import { useStore } from "./store.js";
import { complain, say } from "./toast.js";

const LONG = 160; // characters: more are no title but a text
const PNG_SIZES = [256, 512, 1024, 2048, 4096];

/** Queue pictures near one, and go where they appear. */
export async function vary(id, strength) {
  try {
    await act(`/pictures/${encodeURIComponent(id)}/vary`, { strength, num_images: 4 });
    go("draw");
    say(
      strength === "subtle"
        ? "Four close relatives are on their way."
        : "Four bolder takes are on their way.",
    );
  } catch (problem) {
    complain(problem);
  }
}

/** The recipe goes into the prompt box, to be changed there. */
export function redraw(plan) {
  fillFrom(plan);
  go("draw");
  requestAnimationFrame(() => {
    scrollTo({ top: 0 });
    document.getElementById("prompt")?.focus();
  });
}

async function enlarge(id, size) {
  try {
    await act(`/pictures/${encodeURIComponent(id)}/upscale`, { size });
    go("draw");
    say(`It is being redrawn, ${size} pixels on its longer side.`);
  } catch (problem) {
    complain(problem);
  }
}

export function Panel({ picture, boxes, setBoxes, onDrop }) {
  const { id, plan } = picture;
  const long = picture.prompt.length > LONG;
  const picked = useStore(comparing, (state) => state.ids.includes(id));
  const download = usePlainDownload(id, picture);
  const set = (change) => mark(id, change).catch(complain);
  const bigger = PNG_SIZES.filter((size) => size > Math.max(picture.width, picture.height));
  const alike = html`
    <button class="button" onClick=${() => go("history", `like=${encodeURIComponent(id)}`)}>
      ${icon("scan-search")} Looks like this
    </button>
  `;
  return html`
    <header>
      <h2 dir="auto" class=${long ? "long" : ""} tabindex=${long ? 0 : undefined}>
        ${nameOf(picture)}
      </h2>
      <p class="facts">
        ${[picture.style, `${picture.width} × ${picture.height}`, picture.seed != null && `seed ${picture.seed}`, day(picture.created)].filter(Boolean).join(" · ")}
      </p>
    </header>
    <div class="row spread">
      <${Stars} value=${picture.rating} onChange=${(rating) => set({ rating })} />
      <span class="row tight">
        <button
          class="icon fill"
          aria-label="Favourite"
          title="Favourite (F)"
          aria-pressed=${String(picture.favourite)}
          onClick=${() => set({ favourite: !picture.favourite })}
        >
          ${icon("heart")}
        </button>
        <button
          class="icon"
          aria-label="Compare"
          title="Compare"
          aria-pressed=${String(picked)}
          onClick=${() => {
            toggleCompare(id);
            if (!picked)
              say(
                comparing.get().ids.length === 2
                  ? "Two picked."
                  : "Picked. Pick one more to compare.",
                comparing.get().ids.length === 2
                  ? { action: { label: "Compare", run: () => comparing.set({ open: true }) } }
                  : {},
              );
          }}
        >
          ${icon("columns-2")}
        </button>
        ${
          picture.trashed
            ? html`
                <button
                  class="icon"
                  aria-label="Take out of the trash"
                  title="Take out of the trash"
                  onClick=${() => bringBack([id]).catch(complain)}
                >
                  ${icon("undo-2")}
                </button>
              `
            : html`
                <button
                  class="icon"
                  aria-label="Move to the trash"
                  title="Move to the trash (Delete)"
                  onClick=${onDrop}
                >
                  ${icon("trash-2")}
                </button>
              `
        }
      </span>
    </div>
    ${
      plan
        ? html`
            <div class="actions">
              <button class="button" onClick=${() => vary(id, "subtle")}>
                ${icon("sparkles")} Vary a little
              </button>
              <button class="button" onClick=${() => vary(id, "strong")}>
                ${icon("wand-sparkles")} Vary a lot
              </button>
              <button class="button" onClick=${() => redraw(plan)}>
                ${icon("pencil")} Draw with edits
              </button>
              ${alike}
            </div>
          `
        : html`
            <div class="actions">
              <button
                class="button"
                disabled=${!picture.prompt}
                onClick=${() => redraw({ prompt: picture.prompt, width: picture.width, height: picture.height })}
              >
                ${icon("pencil")} Use its words
              </button>
              ${alike}
            </div>
          `
    }
    <section>
      <h3>Download</h3>
      <div class="row">
        <a class="button small" href=${download.href} download>
          ${icon("download", 16)} Download ${download.name}
        </a>
        <button class="button small" onClick=${() => copyPicture(id)}>
          ${icon("copy", 16)} Copy picture
        </button>
      </div>
      <div class="downloads">
        ${PNG_SIZES.filter((size) => size <= 1024 || picture.vector).map(
          (size) => html`
            <${Download}
              key=${size}
              id=${id}
              options=${{ format: "png", size }}
              label=${`PNG ${size}`}
            />
          `,
        )}
        ${
          picture.vector &&
          html`
            <${Download} id=${id} options=${{ format: "svg" }} label="SVG" />
            <${Download} id=${id} options=${{ format: "pdf" }} label="PDF" />
          `
        }
        <${Download} id=${id} options=${{ format: "webp" }} label="WebP" />
        <${Download} id=${id} options=${{ format: "ico" }} label="ICO" />
      </div>
      ${
        plan &&
        bigger.length > 0 &&
        html`
          <div class="row">
            <button class="button small" onClick=${() => enlarge(id, bigger[0])}>
              ${icon("maximize-2", 16)} Redraw at ${bigger[0]} px
            </button>
          </div>
        `
      }
    </section>
    <${Report} picture=${picture} boxes=${boxes} setBoxes=${setBoxes} />
    <section>
      <h3>Tags</h3>
      <${Labels} name="tag" values=${picture.tags} onChange=${(tags) => set({ tags })} />
    </section>
    <section>
      <h3>Collections</h3>
      <${Labels}
        name="collection"
        values=${picture.collections}
        onChange=${(collections) => set({ collections })}
      />
    </section>
    ${
      picture.commands &&
      html`
        <${Commands} commands=${picture.commands} />
      `
    }
    <${Recipe} plan=${plan} parameters=${picture.parameters} source=${picture.source} />
  `;
}

const day = (moment) =>
  new Date(moment).toLocaleDateString(undefined, {
    day: "numeric",
    month: "short",
    year: "numeric",
  });

function Download({ id, options, label }) {
  return html`
    <a class="button small" href=${urls.file(id, { ...options, download: 1 })} download>${label}</a>
  `;
}

function Stars({ value, onChange }) {
  return html`
    <div class="stars" role="group" aria-label=${`Rating: ${value} of 5`}>
      ${[1, 2, 3, 4, 5].map(
        (star) => html`
          <button
            key=${star}
            class=${star <= value ? "on" : ""}
            aria-label=${star === 1 ? "1 star" : `${star} stars`}
            aria-pressed=${String(star === value)}
            onClick=${() => onChange(star === value ? 0 : star)}
          >
            ${icon("star", 19)}
          </button>
        `,
      )}
    </div>
  `;
}
