// The prompt box: words first, the usual choices in one quiet row, the rest folded away.
import { net } from "./api.js";
import { Field, Input, Select } from "./controls.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./dom.js";
import {
  GROUNDS,
  MAX_COUNT,
  SHAPES,
  SIZES,
  draft,
  hasExtras,
  modelOf,
  newSeed,
  requestOf,
  resetOptions,
} from "./draft.js";
import { icon } from "./icons.js";
import { draw } from "./jobs.js";
import { useStore } from "./store.js";
import { complain } from "./toast.js";
import { capital } from "./wording.js";

const choose = (name) => (value) => draft.set({ [name]: value });

/** Draw what the box says. Returns the job, or null when it could not be queued. */
export async function drawDraft() {
  const state = draft.get();
  if (!state.prompt.trim()) {
    document.getElementById("prompt")?.focus();
    return null;
  }
  try {
    return await draw(requestOf(state));
  } catch (problem) {
    complain(problem);
    return null;
  }
}

export function PromptBox({ onDrawn }) {
  const state = useStore(draft);
  const { models, online } = useStore(net);
  const [busy, setBusy] = useState(false);
  const [more, setMore] = useState(false);
  const box = useRef();
  const model = modelOf(state, models);

  useLayoutEffect(() => {
    const area = box.current; // as high as its words
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 280)}px`;
  }, [state.prompt]);
  useEffect(() => {
    if (matchMedia("(hover: hover)").matches && !document.querySelector("dialog[open]"))
      box.current.focus({ preventScroll: true });
  }, []);

  const submit = async (event) => {
    event?.preventDefault();
    if (busy) return;
    setBusy(true);
    const job = await drawDraft();
    setBusy(false);
    if (job) onDrawn?.(job);
  };
  const onKeyDown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!event.repeat) submit(); // held down it is one wish
  };

  return html`
    <form class="prompt" novalidate onSubmit=${submit} aria-label="Draw">
      <label class="unseen" for="prompt">What to draw</label>
      <textarea
        id="prompt"
        ref=${box}
        rows="1"
        dir="auto"
        maxlength="10000"
        autocomplete="off"
        enterkeyhint="go"
        placeholder="A red fox, a logo for a bakery…"
        aria-describedby="prompt-help"
        value=${state.prompt}
        onInput=${(event) => draft.set({ prompt: event.currentTarget.value })}
        onKeyDown=${onKeyDown}
      ></textarea>
      <span class="unseen" id="prompt-help">Enter draws; Shift and Enter together begin a new line.</span>
      <div class="choices">
        <${Choice}
          name="Style"
          value=${state.style}
          onChange=${choose("style")}
          options=${[["", "Any"], ...(model?.styles ?? []).map((style) => [style, capital(style)])]}
        />
        <${Choice}
          name="Shape"
          value=${state.shape}
          onChange=${choose("shape")}
          options=${SHAPES.map(([value, name]) => [value, `${name} ${value}`])}
        />
        <${Ground} value=${state.ground} />
        <${Count} value=${state.count} />
        <${Seed} locked=${state.seedLocked} seed=${state.seed} />
        ${
          state.variation > 0 &&
          html`
            <span class="pill">
              <span class="name">Varied</span>
              ${" "}${Math.round(state.variation * 100)} %
              <button
                type="button"
                aria-label="Draw it unvaried"
                onClick=${() => draft.set({ variation: 0 })}
              >
                ${icon("x", 14)}
              </button>
            </span>
          `
        }
        <button
          type="button"
          class="pill"
          aria-expanded=${String(more)}
          aria-controls="more-options"
          onClick=${() => setMore(!more)}
        >
          ${icon("sliders-horizontal", 16)} More
          ${
            !more &&
            hasExtras(state) &&
            html`
              <span class="dot" aria-hidden="true"></span>
            `
          }
        </button>
        <button class="primary" disabled=${busy || !online || !state.prompt.trim()}>
          ${icon("brush")} ${busy ? "Sending…" : "Draw"}
        </button>
      </div>
      <div class="more" id="more-options" hidden=${!more}>
        <${More} state=${state} model=${model} models=${models} />
      </div>
    </form>
  `;
}

function Choice({ name, value, options, onChange }) {
  return html`
    <label class="pill">
      <span class="name">${name}</span>
      <${Select} value=${value} options=${options} onChange=${onChange} />
    </label>
  `;
}

function Ground({ value }) {
  const own = value.startsWith("#") && !GROUNDS.some(([known]) => known === value);
  return html`
    <span class="pill">
      <label class="inner">
        <span class="name">Ground</span>
        <${Select}
          value=${own ? "own" : value}
          options=${[...GROUNDS, ["own", "Own colour…"]]}
          onChange=${(chosen) => draft.set({ ground: chosen === "own" ? "#e8c9a9" : chosen })}
        />
      </label>
      ${
        own &&
        html`
          <${Input}
            type="color"
            class="swatch"
            aria-label="Colour of the ground"
            value=${value}
            onType=${choose("ground")}
          />
        `
      }
    </span>
  `;
}

function Count({ value }) {
  const step = (by) => () => draft.set({ count: Math.min(MAX_COUNT, Math.max(1, value + by)) });
  return html`
    <span class="pill" role="group" aria-label="How many pictures">
      <button type="button" aria-label="One fewer" disabled=${value <= 1} onClick=${step(-1)}>
        ${icon("minus", 15)}
      </button>
      <output aria-live="polite">
        ${value}
        <span class="unseen">${value === 1 ? "picture" : "pictures"}</span>
      </output>
      <button type="button" aria-label="One more" disabled=${value >= MAX_COUNT} onClick=${step(1)}>
        ${icon("plus", 15)}
      </button>
    </span>
  `;
}

function Seed({ locked, seed }) {
  const toggle = () =>
    draft.set(locked ? { seedLocked: false } : { seedLocked: true, seed: seed || newSeed() });
  return html`
    <span class="pill seed">
      <button
        type="button"
        aria-pressed=${String(locked)}
        aria-label="Keep the seed"
        title=${locked ? "The same seed every time" : "A new seed every time"}
        onClick=${toggle}
      >
        ${icon(locked ? "lock" : "lock-open", 15)}
      </button>
      ${
        locked
          ? html`
              <${Input}
                type="number"
                aria-label="Seed"
                min="0"
                max="4294967295"
                value=${seed}
                onType=${choose("seed")}
              />
              <button
                type="button"
                aria-label="Another seed"
                onClick=${() => draft.set({ seed: newSeed() })}
              >
                ${icon("dices", 15)}
              </button>
            `
          : html`
              <span class="name">New seed</span>
            `
      }
    </span>
  `;
}

function More({ state, model, models }) {
  const can = (ability) => model?.capabilities.includes(ability);
  return html`
    <div class="grid">
      ${
        can("negative_prompt") &&
        html`
          <${Field} name="Leave out" wide>
            <${Input}
              value=${state.negative}
              placeholder="What the picture should not show"
              onType=${choose("negative")}
            />
          <//>
        `
      }
      <${Field} name="Model">
        <${Select}
          value=${state.model}
          options=${named(models?.models, model?.name)}
          onChange=${choose("model")}
        />
      <//>
      <${Field} name="Longer side">
        <${Select}
          value=${state.size}
          options=${SIZES.map((size) => [size, `${size} px`])}
          onChange=${choose("size")}
        />
      <//>
      <${Field} name="Steps">
        <${Input}
          type="number"
          min="1"
          max="150"
          value=${state.steps}
          placeholder=${model?.num_inference_steps ?? ""}
          onType=${choose("steps")}
        />
      <//>
      ${
        can("guidance") &&
        html`
          <${Field} name="Guidance">
            <${Input}
              type="number"
              min="0"
              max="30"
              step="0.1"
              value=${state.guidance}
              placeholder=${model?.guidance_scale ?? ""}
              onType=${choose("guidance")}
            />
          <//>
        `
      }
      <${Field} name="Sampler">
        <${Select}
          value=${state.sampler}
          options=${named(models?.samplers, model?.sampler)}
          onChange=${choose("sampler")}
        />
      <//>
      <${Field} name="Scheduler">
        <${Select}
          value=${state.scheduler}
          options=${named(models?.schedulers, model?.scheduler)}
          onChange=${choose("scheduler")}
        />
      <//>
      <div class="field foot">
        <button type="button" class="button small" onClick=${resetOptions}>
          ${icon("rotate-ccw", 15)} Reset options
        </button>
      </div>
    </div>
  `;
}

/** Names that the server knows; nothing chosen leaves it to the model. */
const named = (known, usual) => [
  ["", usual ? `As usual (${usual})` : "As usual"],
  ...(known ?? []).map(({ name, summary }) => [name, name, summary]),
];
