// One picture, large: look closely at it on the left, do something with it on the right.
import { net, reachable, urls } from "./api.js";
import { Empty } from "./controls.js";
import { Dialog } from "./dialog.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "./dom.js";
import { GROUND_NAMES, Grounds } from "./grounds.js";
import { icon } from "./icons.js";
import { typing } from "./keys.js";
import { Panel, redraw, vary } from "./panel.js";
import { details, discard, mark, pictures } from "./pictures.js";
import { closePicture, openPicture, route, shelf } from "./router.js";
import { placeOf } from "./sections.js";
import { useStore } from "./store.js";
import { complain, layers } from "./toast.js";

const MAX_ZOOM = 16;

export function Lightbox() {
  const id = useStore(route, (state) => state.picture);
  return id
    ? html`
        <${Dialog} label="Picture" bare onClose=${closePicture}><${Inside} id=${id} /><//>
      `
    : null;
}

function Inside({ id }) {
  const picture = useStore(pictures, (state) => state.byId[id]);
  const among = useStore(shelf, (state) => state.among);
  const near = useStore(net, reachable);
  const [problem, setProblem] = useState(null);
  const [zoom, setZoom] = useState(1);
  const [ground, setGround] = useState("check");
  const [boxes, setBoxes] = useState(false);

  useEffect(() => {
    setZoom(1);
  }, [id]);
  useEffect(() => {
    if (!near) return undefined;
    let shown = true; // the problem of a picture that was leafed past is no problem of the next
    setProblem(null);
    details(id).catch((told) => shown && setProblem(told));
    return () => {
      shown = false;
    };
  }, [id, near]);

  const place = among.indexOf(id);
  const leaf = (by) => {
    const next = among[place + by];
    if (place >= 0 && next) openPicture(next, among);
  };
  const scale = (by) => setZoom((now) => Math.min(MAX_ZOOM, Math.max(1, now * by)));

  // before the next key: one that comes in between must not meet the picture before
  useLayoutEffect(() => {
    const onKey = (event) => {
      if (typing(event) || event.ctrlKey || event.metaKey || event.altKey || !picture) return;
      if (layers.get().open > 1) return; // another dialog lies above
      const moves = {
        ArrowLeft: () => leaf(-1),
        ArrowRight: () => leaf(1),
        "+": () => scale(2),
        "=": () => scale(2),
        "-": () => scale(0.5),
      };
      const does = {
        0: () => setZoom(1),
        b: () => setGround(next(ground)),
        o: () => setBoxes((shown) => !shown),
        f: () => mark(id, { favourite: !picture.favourite }).catch(complain),
        e: () => picture.plan && redraw(picture.plan),
        v: () => picture.plan && vary(id, "subtle"),
        V: () => picture.plan && vary(id, "strong"),
        Delete: () => drop(),
      };
      // arrows pan a picture that is larger than its stage
      const pans = zoom > 1 && event.key.startsWith("Arrow") && event.target.closest?.(".stage");
      const run = moves[event.key] ?? does[event.key];
      if (!run || pans) return;
      event.preventDefault();
      event.stopPropagation();
      if (event.key in moves || !event.repeat) run(); // a key held down is one wish, not thirty
    };
    addEventListener("keydown", onKey, true);
    return () => removeEventListener("keydown", onKey, true);
  });

  const showBoxes = (shown) => {
    setBoxes(shown);
    // on a phone the picture is far above the report
    if (shown) document.querySelector(".stage-side").scrollIntoView({ block: "nearest" });
  };
  const drop = () => {
    discard([id]);
    const rest = among[place + 1] ?? among[place - 1];
    if (place >= 0 && rest)
      openPicture(
        rest,
        among.filter((other) => other !== id),
      );
    else closePicture();
  };

  return html`
    <div class="lightbox">
      <div class="stage-side">
        <div class="stage-bar">
          <button class="icon" aria-label="Close" title="Close (Esc)" onClick=${closePicture}>
            ${icon("x")}
          </button>
          ${
            among.length > 1 &&
            place >= 0 &&
            html`
              <small>${place + 1} of ${among.length}</small>
            `
          }
          <span class="gap"></span>
          <button
            class="icon"
            aria-label="Smaller"
            disabled=${zoom <= 1}
            onClick=${() => scale(0.5)}
          >
            ${icon("zoom-out")}
          </button>
          <button
            class="zoom"
            aria-label=${`Zoom ${Math.round(zoom * 100)} percent; fit`}
            onClick=${() => setZoom(1)}
          >
            ${Math.round(zoom * 100)} %
          </button>
          <button
            class="icon"
            aria-label="Larger"
            disabled=${zoom >= MAX_ZOOM}
            onClick=${() => scale(2)}
          >
            ${icon("zoom-in")}
          </button>
          <${Grounds} value=${ground} onChange=${setGround} />
        </div>
        ${
          problem && !picture
            ? html`
                <${Empty} drawing="image" title=${problem.message} text=${problem.hint} />
              `
            : html`
                <${Stage}
                  picture=${picture}
                  id=${id}
                  zoom=${zoom}
                  setZoom=${setZoom}
                  ground=${ground}
                  boxes=${boxes}
                />
              `
        }
        ${
          among.length > 1 &&
          place >= 0 &&
          html`
            <button
              class="leaf before"
              aria-label="Previous picture"
              disabled=${place === 0}
              onClick=${() => leaf(-1)}
            >
              ${icon("chevron-left", 24)}
            </button>
            <button
              class="leaf after"
              aria-label="Next picture"
              disabled=${place === among.length - 1}
              onClick=${() => leaf(1)}
            >
              ${icon("chevron-right", 24)}
            </button>
          `
        }
      </div>
      <aside class="panel" aria-label="About this picture">
        ${
          picture &&
          html`
            <${Panel} picture=${picture} boxes=${boxes} setBoxes=${showBoxes} onDrop=${drop} />
          `
        }
      </aside>
    </div>
  `;
}

function next(ground) {
  const names = GROUND_NAMES.map(([name]) => name);
  return names[(names.indexOf(ground) + 1) % names.length];
}

function Stage({ picture, id, zoom, setZoom, ground, boxes }) {
  const stage = useRef();
  const grip = useRef(null);
  const ratio = picture ? picture.width / picture.height : 1;
  // beyond its pixels a drawing with paths stays sharp
  const source = picture?.vector && zoom > 1 ? urls.file(id, { format: "svg" }) : urls.file(id);
  const hold = (event) => {
    if (zoom <= 1 || event.button !== 0) return;
    grip.current = {
      x: event.clientX,
      y: event.clientY,
      left: stage.current.scrollLeft,
      top: stage.current.scrollTop,
    };
    stage.current.setPointerCapture(event.pointerId);
  };
  const drag = (event) => {
    const from = grip.current;
    if (!from) return;
    stage.current.scrollTo(
      from.left - (event.clientX - from.x),
      from.top - (event.clientY - from.y),
    );
  };
  const letGo = () => {
    grip.current = null;
  };
  const pinch = (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    setZoom((now) => Math.min(MAX_ZOOM, Math.max(1, now * Math.exp(-event.deltaY / 120))));
  };
  return html`
    <div
      class=${`stage${zoom > 1 ? " held" : ""}`}
      ref=${stage}
      tabindex=${zoom > 1 ? 0 : -1}
      role="group"
      aria-label="The picture"
      onPointerDown=${hold}
      onPointerMove=${drag}
      onPointerUp=${letGo}
      onPointerCancel=${letGo}
      onWheel=${pinch}
      onDblClick=${() => setZoom(zoom > 1 ? 1 : 4)}
    >
      <div
        class=${`frame ground-${ground}`}
        style=${{ aspectRatio: String(ratio), width: `calc(min(100cqw, 100cqh * ${ratio}) * ${zoom})` }}
      >
        <img src=${source} alt=${picture?.prompt ?? "Picture"} draggable=${false} />
        ${
          boxes &&
          picture &&
          picture.findings.map(
            (finding, index) =>
              finding.box &&
              html`
                <span
                  key=${index}
                  class=${`box ${finding.severity}`}
                  style=${placeOf(finding.box, picture)}
                >
                  <b>${index + 1}</b>
                </span>
              `,
          )
        }
      </div>
    </div>
  `;
}
