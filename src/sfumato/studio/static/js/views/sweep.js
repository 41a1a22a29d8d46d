// A grid of drawings over one or two parameters: everything else, the seed included, stays the same.
import { get, net, post, reachable, urls } from "../api.js";
import { Empty, Field, Input, Progress, Select, StopButton } from "../controls.js";
import { html, useEffect, useState } from "../dom.js";
import { GROUNDS, draft, modelOf, requestOf } from "../draft.js";
import { icon } from "../icons.js";
import { cancel, fetchJob, jobs, unfinished } from "../jobs.js";
import { openPicture, refine, route } from "../router.js";
import { recall, remember, useStore } from "../store.js";
import { Thumb } from "../thumb.js";
import { complain } from "../toast.js";
import { count } from "../wording.js";

const NUMBER = "number";
const MAX_VALUES = 12;

/** What can be swept: the request's field, its name, its kind, values to begin with. */
const FIELDS = [
  ["style", "Style", "text", ({ model }) => model?.styles ?? []],
  ["seed", "Seed", NUMBER, () => [1, 2, 3, 4]],
  [
    "background",
    "Ground",
    "text",
    () => GROUNDS.map(([value]) => value).filter((value) => value && !value.startsWith("#")),
  ],
  ["guidance_scale", "Guidance", NUMBER, () => [1, 1.5, 2.5, 4]],
  ["num_inference_steps", "Steps", NUMBER, () => [4, 8, 16, 32]],
  ["sampler", "Sampler", "text", ({ models }) => (models?.samplers ?? []).map(({ name }) => name)],
  [
    "scheduler",
    "Scheduler",
    "text",
    ({ models }) => (models?.schedulers ?? []).map(({ name }) => name),
  ],
  ["prompt", "Words", "text", ({ prompt }) => [prompt || "a red fox", "a blue fox"]],
  ["negative_prompt", "Leave out", "text", () => ["", "text"]],
  ["variation_strength", "Variation", NUMBER, () => [0, 0.25, 0.5, 1]],
  ["model", "Model", "text", ({ models }) => (models?.models ?? []).map(({ name }) => name)],
];

export function SweepView() {
  const query = useStore(route, (state) => state.query);
  const state = useStore(draft);
  const models = useStore(net, (value) => value.models);
  const [sweep, setSweep] = useState(null);
  const [axes, setAxes] = useState(
    recall("axes", { x: { field: "style", text: null }, y: { field: "seed", text: null } }),
  );
  const [busy, setBusy] = useState(false);
  const shown = new URLSearchParams(query).get("id") ?? recall("sweep", null);
  const context = { model: modelOf(state, models), models, prompt: state.prompt };

  useEffect(() => remember("axes", axes), [axes]);
  const near = useStore(net, reachable);
  useEffect(() => {
    if (!near || !shown || sweep?.id === shown) return undefined;
    let wanted = true;
    get(`/sweeps/${encodeURIComponent(shown)}`)
      .then((answer) => wanted && setSweep(answer.sweep))
      .catch((problem) => problem.status === 404 && remember("sweep", null));
    return () => {
      wanted = false;
    };
  }, [shown, near]);

  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const request = { ...requestOf(state), num_images: 1 };
      const x = valuesOf(axes.x, context);
      const y = axes.y.field ? valuesOf(axes.y, context) : null;
      for (const { field } of [x, y].filter(Boolean)) if (field !== "prompt") delete request[field];
      if ([x.field, y?.field].includes("variation_strength")) request.variation_seed = 1;
      const answer = await post("/sweeps", { request, x, y });
      setSweep(answer.sweep);
      remember("sweep", answer.sweep.id);
      refine(`id=${answer.sweep.id}`);
    } catch (problem) {
      complain(problem);
    }
    setBusy(false);
  };
  const cells = howMany(axes.x, context) * (axes.y.field ? howMany(axes.y, context) : 1);
  return html`
    <div class="title"><h1>Sweep</h1></div>
    <form class="sheet" onSubmit=${submit}>
      <${Field} name="What to draw">
        <${Input}
          id="prompt"
          maxlength="10000"
          value=${state.prompt}
          placeholder="A red fox"
          onType=${(prompt) => draft.set({ prompt })}
        />
      <//>
      <div class="axes">
        <${Axis}
          name="Across"
          axis=${axes.x}
          context=${context}
          onChange=${(x) => setAxes({ ...axes, x })}
        />
        <${Axis}
          name="Down"
          axis=${axes.y}
          context=${context}
          optional
          onChange=${(y) => setAxes({ ...axes, y })}
        />
      </div>
      <div class="row spread">
        <small>
          Everything else is as in the prompt box; the seed is the same in every cell unless it is
          swept.
        </small>
        <button class="primary" disabled=${busy || !state.prompt.trim() || cells === 0}>
          ${icon("grid-2x2")} Draw ${count(cells, "picture")}
        </button>
      </div>
    </form>
    ${
      sweep
        ? html`
            <${Grid} key=${sweep.id} sweep=${sweep} />
          `
        : html`
            <${Empty}
              drawing="grid-2x2"
              title="See what each choice does"
              text="Pick one thing to change across and one down. The grid fills while it is drawn, and comes as one labelled sheet."
            />
          `
    }
  `;
}

/** The values as typed: one per line for words, commas between the rest. */
const separator = (field) => (field === "prompt" || field === "negative_prompt" ? "\n" : ",");

function textOf(axis, context) {
  if (axis.text !== null) return axis.text;
  const field = FIELDS.find(([name]) => name === axis.field);
  return field ? field[3](context).join(separator(axis.field) === "," ? ", " : "\n") : "";
}

function pieces(axis, context) {
  const all = textOf(axis, context)
    .split(separator(axis.field))
    .map((piece) => piece.trim());
  return axis.field === "negative_prompt" ? all : all.filter(Boolean);
}

const howMany = (axis, context) => Math.min(MAX_VALUES, new Set(pieces(axis, context)).size);

function valuesOf(axis, context) {
  const kind = FIELDS.find(([name]) => name === axis.field)[2];
  const values = [...new Set(pieces(axis, context))].slice(0, MAX_VALUES);
  if (kind !== NUMBER) return { field: axis.field, values };
  const numbers = values.map(Number);
  const wrong = values[numbers.findIndex((value) => !Number.isFinite(value))];
  if (wrong !== undefined)
    throw Object.assign(new Error(`“${wrong}” is not a number.`), {
      hint: "Put commas between the values.",
    });
  return { field: axis.field, values: numbers };
}

function Axis({ name, axis, context, optional = false, onChange }) {
  const lines = separator(axis.field) === "\n";
  const text = textOf(axis, context);
  const typed = (written) => onChange({ ...axis, text: written });
  return html`
    <fieldset class="axis" aria-label=${name}>
      <${Field} name=${name}>
        <${Select}
          value=${axis.field}
          options=${[...(optional ? [["", "Nothing"]] : []), ...FIELDS.map(([field, label]) => [field, label])]}
          onChange=${(field) => onChange({ field, text: null })}
        />
      <//>
      ${
        axis.field &&
        html`
          <${Field} name=${`Values, ${lines ? "one per line" : "separated by commas"}`}>
            ${
              lines
                ? html`
                    <textarea
                      class="box"
                      rows="3"
                      value=${text}
                      onInput=${(event) => typed(event.currentTarget.value)}
                    ></textarea>
                  `
                : html`
                    <${Input} value=${text} onType=${typed} />
                  `
            }
          <//>
        `
      }
    </fieldset>
  `;
}

function Grid({ sweep }) {
  const byId = useStore(jobs, (state) => state.byId);
  const cells = sweep.jobs.flat();
  const near = useStore(net, reachable);
  useEffect(() => {
    if (!near) return;
    const finished = sweep.pictures?.flat() ?? [];
    cells.forEach((id, at) => {
      // a cell whose job is forgotten has its picture, or stays empty
      if (id && !finished[at] && !jobs.get().byId[id]) fetchJob(id).catch(() => {});
    });
  }, [sweep.id, near]);
  const waiting = cells.filter((id) => byId[id] && unfinished(byId[id]));
  const done = cells.length - waiting.length;
  const drawn = cells
    .map((id, at) => byId[id]?.pictures[0] ?? sweep.pictures?.flat()[at])
    .filter(Boolean);
  const name = (field) => FIELDS.find(([known]) => known === field)?.[1] ?? field;
  return html`
    <section class="sweep" aria-label="Grid">
      <div class="row spread">
        <div>
          <h2 dir="auto">${sweep.request.prompt}</h2>
          <small>
            ${name(sweep.x.field) + " across" + (sweep.y ? `, ${name(sweep.y.field).toLowerCase()} down` : "")}
          </small>
        </div>
        <span class="row">
          ${
            waiting.length > 0 &&
            html`
              <${StopButton}
                stopping=${waiting.every((id) => byId[id].cancelling)}
                onStop=${() => waiting.forEach((id) => cancel(id).catch(complain))}
              />
            `
          }
          <a class="button small" href=${urls.sheet(sweep.id)} download="sweep.png">
            ${icon("download", 16)} Labelled sheet
          </a>
        </span>
      </div>
      ${
        waiting.length > 0 &&
        html`
          <${Progress}
            label="Cells drawn"
            value=${done}
            max=${cells.length}
            told=${`${done} of ${cells.length} drawn`}
          />
        `
      }
      <div class="scroll" tabindex="0" role="group" aria-label="Pictures of the grid">
        <table>
          <thead>
            <tr>
              ${
                sweep.y &&
                html`
                  <td></td>
                `
              }${sweep.x.values.map(
                (value) => html`
                  <th key=${value} scope="col">${shownValue(value)}</th>
                `,
              )}
            </tr>
          </thead>
          <tbody>
            ${sweep.jobs.map(
              (row, down) => html`
                <tr key=${down}>
                  ${
                    sweep.y &&
                    html`
                      <th scope="row">${shownValue(sweep.y.values[down])}</th>
                    `
                  }
                  ${row.map(
                    (id, across) => html`
                      <td key=${id}>
                        <${Cell}
                          job=${byId[id]}
                          picture=${byId[id]?.pictures[0] ?? sweep.pictures?.[down]?.[across]}
                          among=${drawn}
                          label=${[sweep.x.values[across], sweep.y?.values[down]]
                            .filter((value) => value !== undefined)
                            .map(shownValue)
                            .join(", ")}
                        />
                      </td>
                    `,
                  )}
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    </section>
  `;
}

const shownValue = (value) => (value === null || value === "" ? "none" : String(value));

function Cell({ job, picture, among, label }) {
  if (picture)
    return html`
      <div class="tile done ground-check">
        <${Thumb}
          id=${picture}
          label=${`${label}. Open large`}
          onClick=${() => openPicture(picture, among)}
        />
      </div>
    `;
  if (job?.state === "failed")
    return html`
      <div class="tile failed">
        ${icon("triangle-alert")}
        <small>${job.error?.message}</small>
      </div>
    `;
  if (job?.state === "cancelled")
    return html`
      <div class="tile lost"><small>Stopped</small></div>
    `;
  const image = job?.progress?.images?.[0];
  return html`
    <div class=${`tile waiting ground-check${image?.step ? " begun" : ""}`}>
      ${
        image?.preview &&
        html`
          <img class="preview" src=${image.preview} alt="" />
        `
      }
      <span class="unseen">${label}: not drawn yet</span>
    </div>
  `;
}
