// A wall of thumbnails that stays quick with 100,000 of them: only rows near the window exist.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./dom.js";
import { icon } from "./icons.js";
import { nameOf, pictures } from "./pictures.js";
import { openPicture } from "./router.js";
import { useStore } from "./store.js";
import { Thumb } from "./thumb.js";

const GAP = 14;
const OVERSCAN = 3; // rows drawn beyond either edge of the window

export function Wall({ ids, total, more, onEnd, chosen, onChoose }) {
  const wall = useRef();
  const [width, setWidth] = useState(0);
  const [range, setRange] = useState([0, 8]);
  const [focus, setFocus] = useState(0); // one tab stop; arrows move it
  const held = wall.current?.contains(document.activeElement) ?? false;
  const columns = Math.max(2, Math.floor((width + GAP) / (width < 560 ? 128 : 196)));
  const side = (width - GAP * (columns - 1)) / columns;
  const step = side + GAP;
  const rows = Math.ceil(ids.length / columns);

  useLayoutEffect(() => {
    const measure = () => setWidth(wall.current.clientWidth);
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(wall.current);
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    const look = () => {
      const top = wall.current.getBoundingClientRect().top;
      const first = Math.max(0, Math.floor(-top / step) - OVERSCAN);
      const last = Math.ceil((innerHeight - top) / step) + OVERSCAN;
      setRange((old) => (old[0] === first && old[1] === last ? old : [first, last]));
      if (more && last >= rows - 2) onEnd();
    };
    if (width === 0) return undefined;
    look();
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  });

  useLayoutEffect(() => {
    // cards move in the document while the window slides, and a moved element loses the focus
    if (held && !wall.current.contains(document.activeElement)) grab(focus, 0);
  });

  const grab = (at, tries) => {
    const found = wall.current?.querySelector(`[data-at="${at}"] .open`);
    if (found) found.focus({ preventScroll: true });
    else if (tries > 0) requestAnimationFrame(() => grab(at, tries - 1));
  };
  const move = (event) => {
    const by = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      Home: -focus,
      End: ids.length - 1 - focus,
    }[event.key];
    if (by === undefined || event.target.tagName !== "BUTTON") return;
    const next = focus + by;
    if (next < 0 || next >= ids.length) return;
    event.preventDefault();
    setFocus(next);
    const top =
      wall.current.getBoundingClientRect().top + scrollY + Math.floor(next / columns) * step;
    if (top < scrollY + 80 || top + step > scrollY + innerHeight)
      scrollTo({ top: top - innerHeight / 3 });
    // the row may not exist before the scroll has been seen
    requestAnimationFrame(() => grab(next, 20));
  };

  const [first, last] = [range[0] * columns, Math.min(ids.length, range[1] * columns)];
  const places = [];
  for (let at = first; width > 0 && at < last; at += 1) places.push(at);
  // the focused picture stays, however far away it is scrolled: a focus must not get lost
  if (held && focus < first) places.unshift(focus);
  if (held && focus >= last && focus < ids.length) places.push(focus);
  const stop = places.includes(focus) ? focus : first;
  return html`
    <ul
      class="wall"
      ref=${wall}
      aria-label="Pictures"
      onKeyDown=${move}
      style=${{ height: `${Math.max(0, rows * step - GAP)}px` }}
    >
      ${places.map((at) => {
        const id = ids[at];
        return html`
          <${Card}
            key=${id}
            id=${id}
            at=${at}
            size=${total ?? ids.length}
            tab=${at === stop ? 0 : -1}
            onFocus=${() => setFocus(at)}
            style=${{ width: `${side}px`, height: `${side}px`, transform: `translate(${(at % columns) * step}px, ${Math.floor(at / columns) * step}px)` }}
            picked=${chosen ? chosen.has(id) : null}
            onOpen=${() => (chosen ? onChoose(id) : openPicture(id, ids))}
          />
        `;
      })}
    </ul>
  `;
}

function Card({ id, at, size, tab, style, picked, onOpen, onFocus }) {
  const picture = useStore(pictures, (state) => state.byId[id]);
  const name = nameOf(picture);
  return html`
    <li style=${style} data-at=${at} aria-setsize=${size} aria-posinset=${at + 1}>
      <div class=${`tile done ground-check${picked ? " chosen" : ""}`}>
        <${Thumb}
          id=${id}
          label=${name}
          title=${name}
          tabindex=${tab}
          aria-pressed=${picked === null ? undefined : String(picked)}
          onClick=${onOpen}
          onFocus=${onFocus}
        />
        ${
          picture.favourite &&
          html`
            <span class="sign">
              ${icon("heart", 15)}
              <span class="unseen">Favourite</span>
            </span>
          `
        }
        ${
          picked &&
          html`
            <span class="sign picked">${icon("check", 15)}</span>
          `
        }
      </div>
    </li>
  `;
}
