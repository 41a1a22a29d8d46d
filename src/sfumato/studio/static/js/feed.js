// Drawings as they come: one card a job, its pictures appearing while they are drawn.
import { net, reachable } from "./api.js";
import { Notice, Progress, StopButton } from "./controls.js";
import { html, useEffect, useState } from "./dom.js";
import { usePlainDownload } from "./download.js";
import { GROUNDS, MAX_COUNT } from "./draft.js";
import { icon } from "./icons.js";
import { cancel, jobs, placeInLine, retry, unfinished } from "./jobs.js";
import { redraw } from "./panel.js";
import { details, learnMissing, mark, pictures } from "./pictures.js";
import { openPicture } from "./router.js";
import { useStore } from "./store.js";
import { Thumb } from "./thumb.js";
import { complain } from "./toast.js";
import { comparing, toggleCompare } from "./compare.js";

const orComplain = (promise) => promise.catch(complain);

export function JobCard({ id }) {
  const job = useStore(jobs, (state) => state.byId[id]);
  const near = useStore(net, reachable);
  const among = job.pictures.filter(Boolean);
  const drawn = among.length;
  useEffect(() => {
    if (!near || job.state === "queued") return;
    learnMissing(among, { job: id, limit: 64 }).catch(() => {}); // the pictures show without
  }, [near, job.state, drawn]);

  const { request } = job;
  const [width, height] = [request.width ?? 1, request.height ?? 1];
  return html`
    <article class="job" aria-labelledby=${`job-${id}`} data-state=${job.state}>
      <header>
        <h2 id=${`job-${id}`} dir="auto">${request.prompt}</h2>
        <p class="facts">${facts(request)}</p>
        <div class="does">
          ${
            unfinished(job)
              ? html`
                  <${StopButton}
                    of=${request.prompt}
                    stopping=${job.cancelling}
                    onStop=${() => orComplain(cancel(id))}
                  />
                `
              : html`
                  <button
                    class="icon"
                    title="Draw with edits"
                    aria-label=${`Edit “${request.prompt}” and draw again`}
                    onClick=${() => edit(request)}
                  >
                    ${icon("pencil")}
                  </button>
                `
          }
        </div>
      </header>
      ${
        unfinished(job) &&
        html`
          <${Status} job=${job} />
        `
      }
      ${
        job.state === "failed" &&
        html`
          <${Failed} job=${job} />
        `
      }
      ${
        job.state === "cancelled" &&
        html`
          <p class="soft stopped">
            ${drawn ? "Stopped; what was finished is kept." : "Stopped before anything was drawn."}${" "}
            <button class="link" onClick=${() => orComplain(retry(id))}>Go on</button>
          </p>
        `
      }
      ${
        (unfinished(job) || drawn > 0) &&
        html`
          <ul class=${arrangement(job.num_images, width / height)} data-count=${job.num_images}>
            ${Array.from(
              { length: job.num_images },
              (_, index) =>
                (unfinished(job) || job.pictures[index]) &&
                html`
                  <li key=${index}>
                    <${Candidate}
                      job=${job}
                      index=${index}
                      among=${among}
                      ratio=${width / height}
                    />
                  </li>
                `,
            )}
          </ul>
        `
      }
    </article>
  `;
}

/** How many pictures are laid out: wide ones large enough to see, very many small. */
function arrangement(count, ratio) {
  if (count > MAX_COUNT) return "candidates many";
  return ratio >= 2 && count > 1 ? "candidates wide" : "candidates";
}

/** Several jobs of one picture each, oldest first, as one drawing. */
export function GroupCard({ ids }) {
  const byId = useStore(jobs, (state) => state.byId);
  const all = ids.map((id) => byId[id]).reverse();
  const active = all.filter(unfinished);
  const among = all.map((job) => job.pictures[0]).filter(Boolean);
  const { prompt } = all[0].request;
  const done = all.length - active.length;
  const near = useStore(net, reachable);
  useEffect(() => {
    if (!near || active.length > 0) return;
    // what was drawn from the first job's beginning to the last one's end
    const after = all.map((job) => job.created).sort()[0];
    const ended = Math.max(...all.map((job) => Date.parse(job.finished ?? job.created)));
    const before = new Date(ended + 1000).toISOString();
    learnMissing(among, { after, before, limit: 200 }).catch(() => {});
  }, [near, active.length]);
  return html`
    <article class="job" aria-label=${prompt} data-state=${active.length ? "running" : "done"}>
      <header>
        <h2 dir="auto">${prompt}</h2>
        <p class="facts">${all.length} drawings</p>
        <div class="does">
          ${
            active.length > 0 &&
            html`
              <${StopButton}
                of=${prompt}
                stopping=${active.every((job) => job.cancelling)}
                onStop=${() => active.forEach((job) => orComplain(cancel(job.id)))}
              />
            `
          }
        </div>
      </header>
      ${
        active.length > 0 &&
        html`
          <${Progress}
            label=${`Progress of “${prompt}”`}
            value=${done}
            max=${all.length}
            told=${`${done} of ${all.length} drawn`}
          />
        `
      }
      ${all
        .filter((job) => job.state === "failed")
        .slice(0, 1)
        .map(
          (job) => html`
            <${Failed} key=${job.id} job=${job} />
          `,
        )}
      <ul class=${arrangement(all.length, 1)}>
        ${all.map(
          (job, place) =>
            (unfinished(job) || job.pictures[0]) &&
            html`
              <li key=${job.id}>
                <${Candidate}
                  job=${job}
                  index=${0}
                  among=${among}
                  place=${[place + 1, all.length]}
                  ratio=${(job.request.width ?? 1) / (job.request.height ?? 1)}
                />
              </li>
            `,
        )}
      </ul>
    </article>
  `;
}

const edit = (request) =>
  redraw({ ...request, width: request.width ?? 1024, height: request.height ?? 1024 });

function facts(request) {
  const told = [
    request.style,
    GROUNDS.find(([value]) => value === request.background)?.[1].toLowerCase() ??
      request.background,
    `${request.width ?? 1024} × ${request.height ?? 1024}`,
  ];
  if (request.variation_strength > 0)
    told.push(`varied ${Math.round(request.variation_strength * 100)} %`);
  told.push(`seed ${request.seed}`);
  return told.filter(Boolean).join(" · ");
}

function Status({ job }) {
  const fraction = job.progress?.fraction ?? 0;
  const told =
    job.state === "queued"
      ? `Waiting, ${inLine(job)}`
      : job.progress?.stage === "loading"
        ? "Warming up the model…"
        : `Drawing, ${Math.round(fraction * 100)} %`;
  return html`
    <${Progress} label=${`Progress of “${job.request.prompt}”`} value=${fraction} told=${told} />
  `;
}

/** Where a waiting job stands. */
export function inLine(job) {
  const place = placeInLine(job);
  return place === 1 ? "next in line" : `number ${place} in line`;
}

export function Failed({ job }) {
  return html`
    <${Notice} problem=${job.error ?? { message: "The drawing failed." }} drawing="triangle-alert">
      <span class="row">
        <button class="button small" onClick=${() => orComplain(retry(job.id))}>
          ${icon("rotate-ccw", 15)} Try again
        </button>
        <button class="button small" onClick=${() => edit(job.request)}>
          ${icon("pencil", 15)} Edit the words
        </button>
      </span>
    <//>
  `;
}

function Candidate({ job, index, among, ratio, place = [index + 1, job.num_images] }) {
  const id = job.pictures[index];
  const known = useStore(pictures, (state) => state.byId[id]);
  const chosen = useStore(comparing, (state) => state.ids.includes(id));
  const download = usePlainDownload(id, known);
  const [gone, setGone] = useState(false);
  const image = job.progress?.images?.[index];
  const number = `Picture ${place[0]} of ${place[1]}`;
  const shape = { aspectRatio: String(ratio) };
  if (!id) {
    const share = image?.total ? image.step / image.total : 0;
    return html`
      <div class=${`tile waiting ground-check${share > 0 ? " begun" : ""}`} style=${shape}>
        ${
          image?.preview &&
          html`
            <img
              class="preview"
              src=${image.preview}
              alt=""
              style=${{ filter: `blur(${Math.round(8 * (1 - share))}px)` }}
            />
          `
        }
        <span class="unseen">
          ${number}: ${share > 0 ? `step ${image.step} of ${image.total}` : "not begun"}
        </span>
      </div>
    `;
  }
  if (gone || known?.trashed) {
    return html`
      <div class="tile lost" style=${shape}>
        ${icon("trash-2")}
        <small>${known?.trashed ? "In the trash" : "Deleted"}</small>
      </div>
    `;
  }
  return html`
    <div class=${`tile done ground-check${chosen ? " chosen" : ""}`} style=${shape}>
      <${Thumb}
        id=${id}
        label=${`${number}: ${job.request.prompt}. Open large`}
        onClick=${() => openPicture(id, among)}
        onLost=${() => details(id).catch(({ status }) => setGone(status === 404))}
      />
      <div class="over">
        <button
          class="icon fill"
          aria-pressed=${String(known?.favourite ?? false)}
          aria-label=${`Favourite, picture ${place[0]}`}
          title="Favourite"
          onClick=${() => orComplain(mark(id, { favourite: !known?.favourite }))}
        >
          ${icon("heart")}
        </button>
        <button
          class="icon"
          aria-pressed=${String(chosen)}
          aria-label=${`Compare, picture ${place[0]}`}
          title="Compare"
          onClick=${() => toggleCompare(id)}
        >
          ${icon("columns-2")}
        </button>
        <a
          class="icon"
          href=${download.href}
          download
          aria-label=${`Download picture ${place[0]}`}
          title=${`Download ${download.name}`}
        >
          ${icon("download")}
        </a>
      </div>
    </div>
  `;
}
