/* The page of `reprise serve`: what /v1 offers, for people. No framework. Texts from outside (names of
 * files, sentences of the server) only ever become text nodes. */
'use strict';
(() => {

// ---- small helpers ---------------------------------------------------------------------------------

const $ = (id) => document.getElementById(id);
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

/* el('button', {class: 'x', type: 'button', onclick: f}, 'text', other): an element. */
function el(tag, props, ...children) {
  const e = document.createElement(tag);
  set(e, props);
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

function set(e, props) {
  for (const [name, value] of Object.entries(props || {})) {
    if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else if (value === false || value === null || value === undefined) e.removeAttribute(name);
    else e.setAttribute(name, value === true ? '' : value);
  }
  return e;
}

function svg(tag, props, ...children) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
  set(e, props);
  e.append(...children);
  return e;
}

/* A text that changes often: the node stays if it is the same, so that nothing is read out twice. */
function write(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

function debounce(f, ms) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => f(...args), ms);
  };
}

function bytesText(n) {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
  let i = 0;
  for (; n >= 999.5 && i < units.length - 1; i++) n /= 1000;
  return `${i && n < 9.95 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

function secondsText(s) {
  if (!isFinite(s)) return '';
  if (s < 0.95) return `${Math.round(1000 * s)} ms`;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  s = Math.round(s);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
}

function leftText(s) {
  if (s < 60) return `${Math.max(1, Math.round(s))} s left`;
  if (s < 5400) return `about ${Math.round(s / 60)} min left`;
  return `about ${(s / 3600).toFixed(1)} h left`;
}

/* "face-mask-blur" or "face_swapper" as words. */
function words(name) {
  const text = name.replace(/[-_]/g, ' ').trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const plural = (n, one, many) => `${n} ${n === 1 ? one : many || one + 's'}`;

/* Of whatever form a value has in an answer: a finite number or null. */
const number = (x) => typeof x === 'number' && isFinite(x) ? x : null;

// ---- messages --------------------------------------------------------------------------------------

/* For people who listen. */
const say = (text) => write($('said'), text);

/* A sentence that stays until it is closed, or for some seconds if it is good news. */
function note(text, kind) {
  const close = el('button', {type: 'button', class: 'quiet', 'aria-label': 'Close this message'}, '×');
  const box = el('div', {class: `note ${kind || 'bad'}`}, el('p', {}, text), close);
  close.onclick = () => box.remove();
  for (const old of [...$('notes').children]) if (old.firstChild.textContent === text) old.remove();
  $('notes').append(box);
  while ($('notes').children.length > 3) $('notes').firstChild.remove();
  say(text);
  if (kind === 'good') setTimeout(() => box.remove(), 5000);
}

function banner(text) {
  $('banner').hidden = !text;
  write($('banner'), text || '');
}

// ---- the server ------------------------------------------------------------------------------------

const AWAY = 'The server does not answer. This page tries again by itself.';
const ENDED = 'This page has no key for the server, or the server was started anew since. Open the ' +
  'address that it printed, with all that follows the #. Your files and settings are kept.';

class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function refusalOf(answer) {
  let error = {};
  try {
    error = (await answer.json()).error || {};
  } catch { /* not JSON: the status says it */ }
  if (answer.status === 401) banner(ENDED);
  return new Refusal(answer.status, error.code || '',
    error.message || `The server answered with status ${answer.status}.`);
}

/* A request; `body` is sent as JSON. */
async function ask(method, path, body, more) {
  const headers = method === 'GET' ? {} : {'X-Reprise': '1'};
  const init = {method, headers, credentials: 'same-origin', ...more};
  if (body !== undefined) {
    headers['Content-Type'] = 'application/json';
    init.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, init);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refusal(0, 'away', AWAY);
  }
  if (!answer.ok) throw await refusalOf(answer);
  return answer;
}

const askJson = async (...args) => (await ask(...args)).json();

/* The key is in the part of the address that no server sees; it becomes a cookie and is taken away. */
async function enter() {
  const match = /[#&]key=([^&]+)/.exec(location.hash);
  if (!match) return;
  try {
    await ask('POST', '/v1/session', undefined, {
      headers: {'Authorization': `Bearer ${decodeURIComponent(match[1])}`, 'X-Reprise': '1'},
    });
  } catch (error) {
    if (!error.status) throw error; // it did not come to that: the key is used when the page is loaded again
    history.replaceState(null, '', `${location.pathname}#studio`);
    throw error;
  }
  history.replaceState(null, '', `${location.pathname}#studio`);
}

// ---- state -----------------------------------------------------------------------------------------

const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ';
const S = {
  caps: {processors: [], options: [], groups: [], models: []},
  media: new Map(),    // id -> what the server says of a file
  sources: [],         // ids
  target: null,        // id
  hand: null,          // the source that a click on a face maps to it
  frame: 0,
  trim: [0, 0],        // first frame, frame after the last
  steps: ['face_swapper'],
  values: {},          // option -> text, only those changed
  map: [],             // {source, face, frame}
  split: 50,
};
const target = () => S.media.get(S.target);
const isVideo = () => target()?.kind === 'video' && target().frames > 1;
const letterOf = (id) => LETTERS[S.sources.indexOf(id) % LETTERS.length];

const keep = debounce(() => {
  const {sources, target, frame, trim, steps, values, map, split} = S;
  localStorage.setItem('reprise.studio',
    JSON.stringify({sources, target, frame, trim, steps, values, map, split}));
}, 200);

/* What the last visit left, as far as the server still has the files and knows the options. */
function restore() {
  let old;
  try {
    old = JSON.parse(localStorage.getItem('reprise.studio')) || {};
  } catch {
    old = {};
  }
  const known = new Set(S.caps.options.map((o) => o.name));
  const steps = new Set(S.caps.processors.map((p) => p.name));
  S.sources = (old.sources || []).filter((id) => S.media.has(id));
  S.hand = S.sources[0] || null;
  S.target = S.media.has(old.target) ? old.target : null;
  if (S.target) {
    S.frame = clamp(old.frame || 0, 0, frames() - 1);
    S.trim = old.trim && old.trim[1] <= frames() ? old.trim : [0, frames()];
    S.map = (old.map || []).filter((m) => S.sources.includes(m.source));
  }
  if (Array.isArray(old.steps)) S.steps = old.steps.filter((name) => steps.has(name));
  S.values = Object.fromEntries(Object.entries(old.values || {}).filter(([name]) => known.has(name)));
  S.split = old.split ?? 50;
}

const frames = () => Math.max(1, target()?.frames || 1);

/* The options of a preview: what the trim is does not matter to a frame, and the pipeline stays open. */
const optionsOfFrame = () => ({...Object.fromEntries(S.caps.options.filter((o) => o.name in S.values)
  .map((o) => [o.name, isFlag(o) ? S.values[o.name] === 'true' : S.values[o.name]])),
processors: S.steps.join(' ')});

/* The options of a job. */
function optionsOf() {
  const options = optionsOfFrame();
  if (isVideo() && S.trim[0] > 0) options['trim-frame-start'] = String(S.trim[0]);
  if (isVideo() && S.trim[1] < frames()) options['trim-frame-end'] = String(S.trim[1]);
  return options;
}

/* Why nothing can be made yet, or ''. */
function missing() {
  if (!S.target) return 'Choose a target first.';
  if (!S.steps.length) return 'Add a step first.';
  if (S.steps.includes('face_swapper') && !S.sources.some((id) => S.media.get(id)?.kind === 'image')) {
    return 'The face swapper needs a source: add a picture of a face.';
  }
  return '';
}

// ---- pages -----------------------------------------------------------------------------------------

const PAGES = ['studio', 'queue', 'models', 'engine'];

function showPage() {
  const name = PAGES.find((p) => location.hash === `#${p}`) || 'studio';
  for (const page of PAGES) $(page).hidden = page !== name;
  for (const tab of document.querySelectorAll('.tabs a')) {
    set(tab, {'aria-current': tab.hash === `#${name}` ? 'page' : null});
  }
  scrollTo(0, 0);
  drawTitle();
  if (name === 'models') loadModels();
  if (name === 'engine') loadEngine();
  if (name === 'studio') requestAnimationFrame(drawTime);
}

/* The tab tells how far the job is. */
function drawTitle() {
  const page = PAGES.find((p) => !$(p).hidden), job = [...jobs.values()].find((j) => j.state === 'running');
  const parts = [page === 'studio' ? '' : words(page), 'reprise'];
  if (job) parts.unshift(`${Math.floor(100 * (job.progress || 0))} %`);
  document.title = parts.filter(Boolean).join(' · ');
}

function theme(choice) {
  if (choice) {
    document.documentElement.style.colorScheme = choice;
    localStorage.setItem('reprise.theme', choice);
  }
  const dark = choice ? choice === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  set($('theme'), {'aria-label': dark ? 'Switch to light colours' : 'Switch to dark colours'});
  return dark;
}

// ---- files -----------------------------------------------------------------------------------------

/* Send a file; `on` gets the part that is sent. */
function upload(file, on) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open('POST', `/v1/media?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader('X-Reprise', '1');
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.responseType = 'json';
    request.upload.onprogress = (e) => e.lengthComputable && on(e.loaded / e.total);
    request.onload = () => {
      if (request.status < 300 && request.response) return resolve(request.response);
      if (request.status === 401) banner(ENDED);
      reject(new Refusal(request.status, '', `“${file.name}” was not taken: ` +
        (request.response?.error?.message || `status ${request.status}.`)));
    };
    request.onerror = () => reject(new Refusal(0, 'away', `“${file.name}” could not be sent: the ` +
      'server ended the connection.'));
    request.onabort = () => reject(new DOMException('', 'AbortError'));
  });
  request.send(file);
  return {done, stop: () => request.abort()};
}

async function take(file, role) {
  const bar = el('progress', {max: '1', value: '0', 'aria-label': `Sending ${file.name}`});
  const chip = el('div', {class: 'chip sending'}, el('span', {class: 'chip-name'}, file.name), bar);
  const stop = el('button', {type: 'button', class: 'quiet', 'aria-label': `Stop sending ${file.name}`}, '×');
  const sending = upload(file, (part) => { bar.value = part; });
  stop.onclick = sending.stop;
  chip.append(stop);
  const place = $('empty').hidden ? $(role === 'source' ? 'sources' : 'faces')
    : document.querySelector(`.drop[data-for=${role}]`).parentNode;
  place.append(chip);
  try {
    const media = await sending.done;
    S.media.set(media.id, media);
    chip.remove();
    if (role === 'source') addSource(media);
    else await setTarget(media.id);
  } catch (error) {
    chip.remove();
    if (error.name !== 'AbortError') note(error.message);
  }
}

function addSource(media) {
  if (media.kind === 'video') {
    note(`“${media.name}” is a video. A source is a picture of a face, or sound for the lip syncer.`);
    return;
  }
  if (!S.sources.includes(media.id)) S.sources.push(media.id);
  S.hand = media.id;
  changed();
}

async function setTarget(id) {
  if (S.media.get(id)?.kind === 'sound') {
    note(`“${S.media.get(id).name}” is sound. A target is a picture or a video.`);
    return;
  }
  S.target = id;
  S.frame = 0;
  S.trim = [0, frames()];
  S.map = [];
  changed();
}

/* Files that were dropped without a word on their role. */
function sort(files, role) {
  for (const file of files) {
    if (role) take(file, role);
    else if (file.type.startsWith('video/')) take(file, 'target');
    else if (file.type.startsWith('audio/') || !S.sources.length) take(file, 'source');
    else take(file, S.target ? 'source' : 'target');
  }
}

function setUpFiles() {
  for (const role of ['source', 'target']) {
    $(`file-${role}`).onchange = (e) => {
      sort([...e.target.files], role);
      e.target.value = '';
    };
  }
  for (const drop of document.querySelectorAll('.drop')) {
    drop.onclick = () => $(`file-${drop.dataset.for}`).click();
  }
  $('add-source').onclick = () => $('file-source').click();
  $('change-target').onclick = () => $('file-target').click();

  const zones = ['source', 'target'].map((role) => el('div', {class: 'zone', 'data-for': role},
    el('strong', {}, role === 'source' ? 'As source' : 'As target')));
  const over = el('div', {class: 'dropper', 'aria-hidden': 'true', hidden: true}, ...zones);
  document.body.append(over);
  let depth = 0;
  addEventListener('dragenter', (e) => {
    if (![...e.dataTransfer?.types || []].includes('Files')) return;
    depth++;
    over.hidden = false;
  });
  addEventListener('dragleave', () => {
    depth = Math.max(0, depth - 1);
    over.hidden = !depth;
  });
  addEventListener('dragover', (e) => {
    e.preventDefault();
    for (const zone of zones) zone.classList.toggle('on', zone.contains(e.target));
  });
  addEventListener('drop', (e) => {
    e.preventDefault();
    depth = 0;
    over.hidden = true;
    const zone = e.target.closest?.('[data-for]');
    sort([...e.dataTransfer.files], zone?.dataset.for);
  });
}

// ---- faces -----------------------------------------------------------------------------------------

const seen = new Map(); // "id:frame" -> promise of faces

function facesOf(id, frame) {
  const key = `${id}:${frame}`;
  if (!seen.has(key)) {
    const found = askJson('GET', `/v1/media/${id}/faces?n=${frame}`).then((a) => a.faces || []);
    found.catch(() => seen.delete(key));
    seen.set(key, found);
  }
  return seen.get(key);
}

const cropOf = (id, number, frame) => `/v1/media/${id}/faces/${number}?n=${frame}`;
const mapped = (number, frame) => S.map.find((m) => m.face === number && m.frame === frame);

function faceText(face) {
  const parts = [];
  if (face.gender) parts.push(face.gender);
  if (face.age) parts.push(`${face.age[0]} to ${face.age[1] - 1}`);
  return parts.join(', ');
}

/* A click: the source in hand goes to the face, or leaves it if it was there. */
function mapFace(number, frame) {
  const old = mapped(number, frame);
  S.map = S.map.filter((m) => m !== old);
  if (!S.hand) {
    note('Add a source first, then click a face to give it to.', 'plain');
    return;
  }
  if (old?.source !== S.hand) S.map.push({source: S.hand, face: number, frame});
  say(old?.source === S.hand ? `Face ${number + 1} keeps its own.`
    : `Face ${number + 1} gets source ${letterOf(S.hand)}.`);
  changed();
}

function faceChip(face, frame) {
  const link = mapped(face.number, frame);
  const source = link && letterOf(link.source);
  const what = `Face ${face.number + 1}${frame === S.frame ? '' : ` of frame ${frame}`}`;
  const chip = el('button', {
    type: 'button', class: 'chip face', 'aria-pressed': String(!!link),
    'aria-label': `${what}${faceText(face) ? `, ${faceText(face)}` : ''}. ` +
      (link ? `It gets source ${source}.` : 'Not mapped.'),
    title: faceText(face) || null,
    onclick: () => mapFace(face.number, frame),
  },
  el('img', {src: cropOf(S.target, face.number, frame), alt: '', width: '72', height: '72'}),
  el('span', {class: 'chip-name'}, frame === S.frame ? `Face ${face.number + 1}` : `Frame ${frame}`));
  if (link) {
    chip.append(el('span', {class: `badge hue-${S.sources.indexOf(link.source) % 6}`}, source));
  }
  if (frame === S.frame) {
    const mark = (on) => $('marks').children[face.number]?.classList.toggle('on', on);
    for (const name of ['mouseenter', 'focus']) chip.addEventListener(name, () => mark(true));
    for (const name of ['mouseleave', 'blur']) chip.addEventListener(name, () => mark(false));
  }
  return chip;
}

function putMarks(faces) {
  $('marks').replaceChildren(...faces.map((face) => {
    const [x1, y1, x2, y2] = face.box;
    const mark = el('i', {});
    mark.style.left = `${100 * x1}%`;
    mark.style.top = `${100 * y1}%`;
    mark.style.width = `${100 * (x2 - x1)}%`;
    mark.style.height = `${100 * (y2 - y1)}%`;
    return mark;
  }));
}

/* Replace the chips of a tray without losing the place of whoever uses the keyboard. */
function refill(tray, chips) {
  const at = [...tray.querySelectorAll('button')].indexOf(document.activeElement);
  const sending = [...tray.querySelectorAll('.sending')];
  tray.replaceChildren(...chips, ...sending);
  if (at >= 0) [...tray.querySelectorAll('button')][Math.min(at, chips.length - 1)]?.focus();
}

async function drawFaces() {
  const id = S.target, frame = S.frame;
  $('clear-map').hidden = !S.map.length;
  write($('change-target'), id ? 'Change target' : 'Choose a target');
  if (!id) {
    refill($('faces'), []);
    write($('faces-hint'), '');
    return;
  }
  let faces = [];
  try {
    faces = await facesOf(id, frame);
  } catch (error) {
    if (id === S.target && frame === S.frame) write($('faces-hint'), error.message);
    return;
  }
  if (id !== S.target || frame !== S.frame) return;
  const others = S.map.filter((m) => m.frame !== frame);
  refill($('faces'), [
    ...faces.map((face) => faceChip(face, frame)),
    ...others.map((m) => faceChip({number: m.face}, m.frame)),
  ]);
  putMarks(faces);
  write($('faces-hint'), !faces.length ? 'No face was found in this frame.'
    : S.map.length ? 'Only the people of the mapped faces change, in every frame.'
      : S.sources.length ? 'The options choose the faces. To choose yourself, click them: each gets ' +
        'the source in hand.'
        : '');
}

function sourceChip(id) {
  const media = S.media.get(id), letter = letterOf(id), inHand = S.hand === id && S.sources.length > 1;
  const picture = el('img', {
    src: media.kind === 'image' ? cropOf(id, 0, 0) : null, alt: '', width: '72', height: '72',
  });
  picture.onerror = () => { // without a face: the picture itself
    picture.onerror = null;
    picture.src = `/v1/media/${id}/frame?n=0&width=144`;
  };
  const chip = el('button', {
    type: 'button', class: 'chip face', 'aria-pressed': String(inHand),
    'aria-label': `Source ${letter}, ${media.name}${inHand ? ', in hand' : ''}`, title: media.name,
    onclick: () => {
      S.hand = id;
      drawSources();
      say(`Source ${letter} is in hand. Click a face to give it to.`);
    },
  }, media.kind === 'image' ? picture : el('span', {class: 'sound'}, '♪'),
  el('span', {class: 'chip-name'}, media.name),
  el('span', {class: `badge hue-${S.sources.indexOf(id) % 6}`}, letter));
  const away = el('button', {
    type: 'button', class: 'away', 'aria-label': `Remove source ${letter}, ${media.name}`,
    onclick: () => {
      S.sources = S.sources.filter((s) => s !== id);
      S.map = S.map.filter((m) => m.source !== id);
      if (S.hand === id) S.hand = S.sources[0] || null;
      changed();
    },
  }, '×');
  return el('div', {class: 'chip-box'}, chip, away);
}

function drawSources() {
  refill($('sources'), S.sources.map(sourceChip));
}

// ---- the picture -----------------------------------------------------------------------------------

function setSplit(value) {
  S.split = clamp(value, 0, 100);
  $('over').style.clipPath = `inset(0 0 0 ${S.split}%)`;
  $('divider').style.left = `${S.split}%`;
  $('tag-before').classList.toggle('gone', S.split < 12);
  $('tag-after').classList.toggle('gone', S.split > 88 || $('over').hidden);
  set($('divider'), {
    'aria-valuenow': String(Math.round(S.split)),
    'aria-valuetext': `${Math.round(S.split)} percent before, the rest after`,
  });
}

/* What a key does to a value, or null: the same on all sliders. */
function stepOf(e, small, large) {
  const by = e.shiftKey ? large : small;
  switch (e.key) {
  case 'ArrowLeft': case 'ArrowDown': return (v) => v - by;
  case 'ArrowRight': case 'ArrowUp': return (v) => v + by;
  case 'PageDown': return (v) => v - large;
  case 'PageUp': return (v) => v + large;
  case 'Home': return () => -Infinity;
  case 'End': return () => Infinity;
  default: return null;
  }
}

/* Follow the pointer from where it goes down; Escape takes back what was done. */
function drag(e, onMove, onEnd, onBack) {
  if (e.button) return;
  const on = e.currentTarget, listening = new AbortController(), {signal} = listening;
  const stop = (back) => {
    listening.abort();
    if (back) onBack?.();
    onEnd?.();
  };
  const escape = (key) => {
    if (key.key !== 'Escape') return;
    key.stopPropagation();
    stop(true);
  };
  on.setPointerCapture(e.pointerId);
  on.addEventListener('pointermove', onMove, {signal});
  on.addEventListener('pointerup', () => stop(false), {signal});
  on.addEventListener('pointercancel', () => stop(true), {signal});
  addEventListener('keydown', escape, {signal, capture: true});
  onMove(e);
}

function setUpView() {
  const view = $('view');
  const move = (e) => {
    const box = view.getBoundingClientRect();
    setSplit(100 * (e.clientX - box.left) / box.width);
  };
  view.addEventListener('pointerdown', (e) => {
    if ($('over').hidden) return;
    const old = S.split;
    e.preventDefault();
    $('divider').focus({preventScroll: true});
    drag(e, move, keep, () => setSplit(old));
  });
  $('divider').addEventListener('keydown', (e) => {
    const step = e.key === 'Escape' ? () => 50 : stepOf(e, 2, 10);
    if (!step) return;
    e.preventDefault();
    setSplit(step(S.split));
    keep();
  });
}

const widthOf = (media) => Math.min(media.width || 640, $('stage').clientWidth > 720 ? 960 : 640);

/* Of several pictures asked for quickly only the newest is shown, and at most one is on its way. */
function newest(img) {
  let wanted = '', busy = false;
  const next = () => {
    if (busy || img.getAttribute('src') === wanted) return;
    busy = true;
    img.src = wanted;
  };
  const ended = () => {
    busy = false;
    next();
  };
  img.addEventListener('load', ended);
  img.addEventListener('error', ended);
  return (src) => {
    wanted = src;
    next();
  };
}

let showBefore; // set up below
let previewing = null, afterUrl = '';

function noPreview(sentence) {
  previewing?.abort();
  previewing = null;
  $('over').hidden = $('divider').hidden = true;
  $('busy').hidden = true;
  set($('view'), {'data-state': sentence ? 'refused' : 'plain'});
  $('wrong').hidden = !sentence;
  write($('wrong'), sentence || '');
  setSplit(S.split);
}

/* What the server says of a missing model is for the command line. */
function noModel(sentence) {
  const model = S.caps.models.find((m) => sentence.includes(` ${m.name} `));
  noPreview(`${model ? `The model ${model.name} (${words(model.kind).toLowerCase()})` : 'A model that this needs'} ` +
    'is not installed, and the server could not fetch it. ');
  $('wrong').append(el('a', {href: '#models'}, 'See the models'));
}

async function preview() {
  const why = missing();
  if (!S.target || why) {
    noPreview('');
    return;
  }
  const mine = new AbortController();
  previewing?.abort();
  previewing = mine;
  $('busy').hidden = false;
  try {
    const answer = await ask('POST', '/v1/preview', {
      sources: S.sources, target: S.target, frame: S.frame, width: widthOf(target()),
      options: optionsOfFrame(), map: S.map,
    }, {signal: mine.signal});
    const blob = await answer.blob();
    if (previewing !== mine) return;
    const url = URL.createObjectURL(blob);
    $('after').src = url;
    await $('after').decode().catch(() => {});
    if (afterUrl) URL.revokeObjectURL(afterUrl);
    afterUrl = url;
    $('over').hidden = $('divider').hidden = false;
    $('wrong').hidden = true;
    $('busy').hidden = true;
    set($('view'), {'data-state': 'shown', 'data-shown': String(++shown)});
    setSplit(S.split);
  } catch (error) {
    if (error.name === 'AbortError' || previewing !== mine) return;
    if (error.code === 'superseded') setTimeout(previewSoon, 500); // by another window
    else if (error.code === 'model_missing') noModel(error.message);
    else noPreview(error.message);
  }
}
let shown = 0;
const previewSoon = debounce(preview, 140);

function drawView() {
  const media = target();
  $('empty').hidden = !!media;
  $('trays').hidden = !media && !S.sources.length;
  $('view').hidden = !media;
  if (!media) return;
  $('view').style.setProperty('--ratio', (media.width || 16) / (media.height || 9));
  showBefore(`/v1/media/${media.id}/frame?n=${S.frame}&width=${widthOf(media)}`);
  setSplit(S.split);
}

// ---- the time line ---------------------------------------------------------------------------------

function timeText(frame) {
  const fps = target()?.fps || 25, s = frame / fps;
  return `${Math.floor(s / 60)}:${(s % 60).toFixed(2).padStart(5, '0')}`;
}

function drawTime() {
  $('time').hidden = !isVideo();
  if (!isVideo()) return;
  const n = frames(), at = (frame) => `${100 * frame / n}%`;
  $('head').style.left = `${100 * S.frame / Math.max(1, n - 1)}%`;
  $('trim-a').style.left = at(S.trim[0]);
  $('trim-b').style.left = at(S.trim[1]);
  $('kept').style.left = at(S.trim[0]);
  $('kept').style.width = at(S.trim[1] - S.trim[0]);
  for (const [id, now, low, high] of [['head', S.frame, 0, n - 1], ['trim-a', S.trim[0], 0, S.trim[1] - 1],
    ['trim-b', S.trim[1], S.trim[0] + 1, n]]) {
    set($(id), {
      'aria-valuemin': String(low), 'aria-valuemax': String(high), 'aria-valuenow': String(now),
      'aria-valuetext': `frame ${now}, ${timeText(now)}`,
    });
  }
  write($('time-now'), `Frame ${S.frame} of ${n} · ${timeText(S.frame)}`);
  const kept = S.trim[1] - S.trim[0];
  write($('time-kept'), kept < n ? `${plural(kept, 'frame')}, ${secondsText(kept / (target().fps || 25))}`
    : secondsText(n / (target().fps || 25)));
}

function goTo(frame) {
  frame = clamp(Math.round(frame), 0, frames() - 1);
  if (frame === S.frame) return;
  S.frame = frame;
  drawTime();
  drawView();
  facesSoon();
  previewSoon();
  keep();
}
const facesSoon = debounce(drawFaces, 160);

function setTrim(which, frame) {
  const n = frames();
  if (which === 0) S.trim[0] = clamp(Math.round(frame), 0, S.trim[1] - 1);
  else S.trim[1] = clamp(Math.round(frame), S.trim[0] + 1, n);
  drawTime();
  keep();
}

function setUpTime() {
  const track = $('track');
  const frameAt = (e, n) => {
    const box = track.getBoundingClientRect();
    return n * clamp((e.clientX - box.left) / box.width, 0, 1);
  };
  track.addEventListener('pointerdown', (e) => {
    const which = ['trim-a', 'trim-b'].indexOf(e.target.id);
    const old = [S.frame, ...S.trim];
    e.preventDefault();
    (which < 0 ? $('head') : e.target).focus({preventScroll: true});
    drag(e, which < 0 ? (m) => goTo(frameAt(m, frames() - 1)) : (m) => setTrim(which, frameAt(m, frames())),
      null, () => {
        S.trim = old.slice(1);
        drawTime();
        goTo(old[0]);
      });
  });
  track.addEventListener('keydown', (e) => {
    const which = ['trim-a', 'trim-b'].indexOf(e.target.id);
    const key = e.key.toLowerCase();
    if (!e.ctrlKey && !e.metaKey && !e.altKey && (key === 'i' || key === 'o')) {
      setTrim(key === 'i' ? 0 : 1, key === 'i' ? S.frame : S.frame + 1);
      say(`${key === 'i' ? 'Begins at' : 'Ends after'} frame ${S.frame}.`);
      return;
    }
    if (e.key === 'Escape') {
      S.trim = [0, frames()];
      drawTime();
      keep();
      return;
    }
    const step = stepOf(e, 1, 10);
    if (!step) return;
    e.preventDefault();
    if (which < 0) goTo(step(S.frame));
    else setTrim(which, step(S.trim[which]));
  });
}

/* Until no preview is being made. */
async function previewed() {
  while (!$('busy').hidden) await new Promise((done) => setTimeout(done, 100));
}

/* Small frames behind the time line, then where faces are: one request after the other, and none beside a
 * preview, which would take longer. */
let stripOf = null;
async function drawStrip() {
  const id = S.target;
  if (stripOf === id) return;
  stripOf = id;
  $('strip').replaceChildren();
  $('sightings').replaceChildren();
  if (!isVideo()) return;
  const media = target(), ratio = media.width / media.height || 1.6;
  const n = clamp(Math.round(($('track').clientWidth || 800) / (52 * ratio)), 4, 16);
  const at = Array.from({length: n}, (_, i) => Math.floor((i + 0.5) * frames() / n));
  const pictures = at.map(() => el('img', {alt: '', draggable: 'false'}));
  $('strip').append(...pictures);
  for (let i = 0; i < n && S.target === id; i++) {
    await previewed();
    pictures[i].src = `/v1/media/${id}/frame?n=${at[i]}&width=160`;
    await pictures[i].decode().catch(() => {});
  }
  const dots = at.map(() => el('i', {}));
  $('sightings').append(...dots);
  for (let i = 0; i < n && S.target === id; i++) {
    await previewed();
    const faces = await facesOf(id, at[i]).catch(() => []);
    dots[i].dataset.n = Math.min(faces.length, 4);
    dots[i].title = plural(faces.length, 'face');
  }
}

// ---- steps and options -----------------------------------------------------------------------------

function drawSteps() {
  const list = $('chosen');
  list.replaceChildren(...S.steps.map((name, i) => {
    const help = S.caps.processors.find((p) => p.name === name)?.help;
    const move = (by, text) => el('button', {
      type: 'button', class: 'quiet', 'aria-label': `Move ${words(name)} ${text}`,
      disabled: !S.steps[i + by],
      onclick: () => {
        [S.steps[i], S.steps[i + by]] = [S.steps[i + by], S.steps[i]];
        stepsChanged();
        list.children[i + by].querySelectorAll('button')[by < 0 ? 0 : 1].focus();
      },
    }, by < 0 ? '↑' : '↓');
    return el('li', {class: 'step', title: help || null},
      el('span', {}, words(name)), move(-1, 'up'), move(1, 'down'),
      el('button', {
        type: 'button', class: 'quiet', 'aria-label': `Remove ${words(name)}`,
        onclick: () => {
          S.steps.splice(i, 1);
          stepsChanged();
          $('step').focus();
        },
      }, '×'));
  }));
  $('step').replaceChildren(el('option', {value: ''}, S.steps.length ? 'Add another step' : 'Add a step'),
    ...S.caps.processors.filter((p) => !S.steps.includes(p.name))
      .map((p) => el('option', {value: p.name}, words(p.name))));
}

function stepsChanged() {
  changed();
  drawOptions();
}

/* Set by other parts of the page. */
const NOT_HERE = /^(processors|trim-frame-(start|end))$/;
const isHere = (o) => o.settable !== false && !NOT_HERE.test(o.name);

/* The processor that an option is of, or ''. */
function ownerOf(option) {
  return S.caps.processors.find((p) => option.name.startsWith(`${p.name.replace(/_/g, '-')}-`))?.name || '';
}

const defaultOf = (o) => o.default === null || o.default === undefined ? ''
  : Array.isArray(o.default) ? o.default.join(' ') : String(o.default);
const valueOf = (o) => S.values[o.name] ?? defaultOf(o);
const isFlag = (o) => o.type === 'flag' || o.type === 'boolean';
const isNumber = (o) => !o.several && !o.choices?.length && number(o.min) !== null && number(o.max) !== null &&
  o.max > o.min;

function setValue(o, text) {
  if (text === defaultOf(o) || (isFlag(o) && text === 'false')) delete S.values[o.name];
  else S.values[o.name] = text;
  markChanged(o);
  countChanged();
  previewSoon();
  keep();
}

const rows = new Map(); // option name -> {row, show}

function markChanged(o) {
  const entry = rows.get(o.name);
  if (!entry) return;
  const is = o.name in S.values;
  entry.row.classList.toggle('is-changed', is);
  entry.back.hidden = !is;
}

function countChanged() {
  $('reset').hidden = !Object.keys(S.values).length;
  for (const group of document.querySelectorAll('#options details')) {
    const n = group.querySelectorAll('.is-changed').length;
    write(group.querySelector('.count'), n ? String(n) : '');
    group.querySelector('.count').hidden = !n;
    set(group.querySelector('.count'), {'aria-label': `${n} changed`});
  }
}

/* A choice with the word on whether its model is there. */
function choiceText(o, choice) {
  const model = /model$/.test(o.name) && S.caps.models.find((m) => m.name === choice);
  return model && !model.installed ? `${choice} (not installed)` : choice;
}

/* Controls: each has an element, and show(text) for when the value is changed from elsewhere. */
function flagControl(o, id) {
  const input = el('input', {id, type: 'checkbox', role: 'switch', class: 'switch',
    onchange: () => setValue(o, String(input.checked))});
  return {control: input, show: (text) => { input.checked = text === 'true'; }};
}

function choiceControl(o, id) {
  const list = o.choices.includes(defaultOf(o)) ? o.choices : ['', ...o.choices];
  const select = el('select', {id, onchange: () => setValue(o, select.value)},
    ...list.map((c) => el('option', {value: c}, c === '' ? defaultOf(o) || 'automatic' : choiceText(o, c))));
  return {control: select, show: (text) => { select.value = list.includes(text) ? text : ''; }};
}

function severalControl(o, id) {
  const buttons = o.choices.map((choice) => el('button', {
    type: 'button', class: 'pick', 'aria-pressed': 'false', 'data-value': choice,
    onclick: (e) => {
      const on = new Set(valueOf(o).split(' ').filter(Boolean));
      if (on.has(choice) && on.size > 1) on.delete(choice);
      else on.add(choice);
      setValue(o, o.choices.filter((c) => on.has(c)).join(' '));
      rows.get(o.name).show(valueOf(o));
      e.currentTarget.focus();
    },
  }, words(choice).toLowerCase()));
  const box = el('div', {id, class: 'picks', role: 'group'}, ...buttons);
  return {
    control: box,
    show: (text) => {
      const on = text.split(' ');
      for (const b of buttons) set(b, {'aria-pressed': String(on.includes(b.dataset.value))});
    },
  };
}

function numberControl(o, id) {
  const step = o.step || 1;
  const box = el('input', {id, type: 'number', min: o.min, max: o.max, step, inputmode: 'decimal',
    placeholder: defaultOf(o) || 'none'});
  const isLong = o.max - o.min > 5000;
  const slider = isLong ? null
    : el('input', {type: 'range', min: o.min, max: o.max, step, 'aria-label': words(o.name), tabindex: '-1'});
  const both = (text) => {
    box.value = text;
    if (slider) slider.value = text === '' ? o.min : text;
  };
  box.onchange = () => {
    const v = box.value === '' ? defaultOf(o) : String(clamp(Number(box.value), o.min, o.max));
    both(v);
    setValue(o, v);
  };
  if (slider) {
    slider.oninput = () => {
      box.value = slider.value;
      setValue(o, slider.value);
    };
  }
  return {control: el('div', {class: 'number-box'}, slider, box), show: both};
}

function textControl(o, id) {
  const input = el('input', {id, type: 'text', placeholder: defaultOf(o) || 'none', spellcheck: 'false',
    onchange: () => setValue(o, input.value.trim() || defaultOf(o))});
  return {control: input, show: (text) => { input.value = text; }};
}

function controlOf(o, id) {
  if (isFlag(o)) return flagControl(o, id);
  if (o.choices?.length) return o.several ? severalControl(o, id) : choiceControl(o, id);
  return isNumber(o) ? numberControl(o, id) : textControl(o, id);
}

function optionRow(o) {
  const id = `option-${o.name}`, owner = ownerOf(o);
  const title = words(owner ? o.name.slice(owner.length + 1) : o.name);
  const {control, show} = controlOf(o, id);
  const back = el('button', {type: 'button', class: 'quiet back', hidden: true,
    'aria-label': `Reset ${words(o.name)}`, title: 'Back to the default',
    onclick: () => {
      setValue(o, defaultOf(o));
      show(valueOf(o));
      (control.matches('input, select') ? control : control.querySelector('input, button'))?.focus();
    }}, '↺');
  const isGroup = control.getAttribute('role') === 'group';
  const name = el(isGroup ? 'span' : 'label', isGroup ? {id: `${id}-name`} : {for: id}, title);
  if (isGroup) set(control, {'aria-labelledby': `${id}-name`});
  const target = control.matches('input, select, .picks') ? control : control.querySelector(`#${CSS.escape(id)}`);
  if (o.help) set(target, {'aria-describedby': `${id}-help`});
  const row = el('div', {class: `field${isFlag(o) ? ' field-flag' : ''}`, 'data-name': o.name},
    el('div', {class: 'field-head'}, name, back, isFlag(o) ? control : null), isFlag(o) ? null : control,
    o.help ? el('p', {id: `${id}-help`, class: 'help'}, `${o.help.charAt(0).toUpperCase()}${o.help.slice(1)}`) : null);
  rows.set(o.name, {row, show, back});
  show(valueOf(o));
  markChanged(o);
  return row;
}

function drawOptions() {
  const open = new Set([...document.querySelectorAll('#options details[open]')].map((d) => d.dataset.key));
  const groups = new Map(); // title -> {key, owner, options}
  const titles = new Map(S.caps.groups.map((g) => [g.name, g.title || words(g.name)]));
  for (const o of S.caps.options.filter(isHere)) {
    const owner = ownerOf(o);
    if (owner && !S.steps.includes(owner)) continue;
    const key = owner || o.group;
    if (!groups.has(key)) {
      groups.set(key, {key, owner, title: owner ? words(owner) : titles.get(o.group),
        options: []});
    }
    groups.get(key).options.push(o);
  }
  const order = (g) => g.owner ? S.steps.indexOf(g.owner) : 100;
  const first = !rows.size;
  rows.clear();
  $('options').replaceChildren(...[...groups.values()].sort((a, b) => order(a) - order(b)).map((g) =>
    el('details', {class: 'group', 'data-key': g.key, open: open.has(g.key) || (first && !!g.owner)},
      el('summary', {}, el('span', {}, g.title), el('span', {class: 'count', hidden: true})),
      ...g.options.map(optionRow))));
  countChanged();
  searchOptions();
}

function searchOptions() {
  const wanted = $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
  let any = false;
  for (const group of document.querySelectorAll('#options details')) {
    let hits = 0;
    for (const row of group.querySelectorAll('.field')) {
      const text = `${row.dataset.name.replace(/-/g, ' ')} ${row.textContent}`.toLowerCase();
      const hit = wanted.every((word) => text.includes(word));
      row.hidden = !hit;
      hits += hit;
    }
    group.hidden = !hits;
    if (wanted.length && hits) group.open = true;
    any ||= hits > 0;
  }
  $('no-options').hidden = any;
}

function setUpOptions() {
  $('search').oninput = searchOptions;
  $('search').onkeydown = (e) => {
    if (e.key !== 'Escape') return;
    $('search').value = '';
    searchOptions();
  };
  $('step').onchange = () => {
    if (!$('step').value) return;
    S.steps.push($('step').value);
    stepsChanged();
    $('step').focus();
  };
  $('reset').onclick = () => {
    S.values = {};
    drawOptions();
    previewSoon();
    keep();
    say('All options have their defaults again.');
    $('search').focus();
  };
  $('clear-map').onclick = () => {
    S.map = [];
    changed();
  };
}

// ---- sending a job ---------------------------------------------------------------------------------

function drawStart() {
  const why = missing();
  $('start').disabled = !!why;
  write($('start-why'), S.target ? why : '');
  $('job-name').placeholder = target() ? target().name : 'Name of the job';
}

function setUpSend() {
  $('send').onsubmit = async (e) => {
    e.preventDefault();
    if (missing()) return;
    $('start').disabled = true;
    try {
      const answer = await ask('POST', '/v1/jobs', {
        name: $('job-name').value.trim() || target().name, sources: S.sources, target: S.target,
        options: optionsOf(), map: S.map,
      });
      $('job-name').value = '';
      const job = await answer.json().catch(() => null);
      if (job?.id) putJob(job);
      else await loadJobs();
      note('The job is in the queue.', 'good');
    } catch (error) {
      note(error.message);
    }
    drawStart();
  };
}

/* Anything of the studio changed. */
function changed() {
  drawView();
  drawTime();
  drawStrip();
  drawSources();
  drawFaces();
  drawSteps();
  drawStart();
  previewSoon();
  keep();
}

// ---- queue -----------------------------------------------------------------------------------------

const jobs = new Map();  // id -> what the server says of it
const cards = new Map(); // id -> elements
const WAITING = new Set(['queued', 'running']);
const STATE = {queued: 'Waiting', running: 'Working', done: 'Done', failed: 'Failed', cancelled: 'Cancelled'};

const jobAct = (id, path, body, method) => async () => {
  try {
    await ask(method || 'POST', `/v1/jobs/${id}${path}`, body?.());
    if (method === 'DELETE') {
      jobs.delete(id);
      drawJobs();
      $('main').focus();
    } else await loadJobs();
  } catch (error) {
    note(error.message);
  }
};

/* Places are counted among those that wait. */
function makeCard(id) {
  const c = {announced: 0, state: ''};
  const button = (text, act, kind) => el('button', {type: 'button', class: kind || 'quiet', onclick: act}, text);
  c.name = el('h2', {});
  c.badge = el('span', {class: 'state'});
  c.bar = el('progress', {max: '1', value: '0'});
  c.facts = el('p', {class: 'facts number'});
  c.message = el('p', {class: 'message'});
  c.play = button('Show', () => play(jobs.get(id)), 'soft');
  c.download = el('a', {class: 'button soft', download: ''}, 'Download');
  c.up = button('↑', jobAct(id, '/move', () => ({position: Math.max(0, c.place - 1)})));
  c.down = button('↓', jobAct(id, '/move', () => ({position: c.place + 1})));
  c.cancel = button('Cancel', jobAct(id, '/cancel'));
  c.remove = button('Remove', jobAct(id, '', undefined, 'DELETE'));
  c.card = el('li', {class: 'job', 'data-id': id},
    el('div', {class: 'job-head'}, c.name, c.badge), c.bar, c.facts, c.message,
    el('div', {class: 'job-acts'}, c.play, c.download, c.up, c.down, c.cancel, c.remove));
  cards.set(id, c);
  return c;
}

function factsOf(job, place) {
  const facts = [];
  if (job.state === 'running') {
    if (!job.frames && fetching.size) facts.push(fetchText());
    facts.push(`${Math.floor(100 * (job.progress || 0))} %`);
    if (job.total > 1) facts.push(`${job.frames || 0} of ${plural(job.total, 'frame')}`);
    if (job.fps > 0) facts.push(`${job.fps.toFixed(job.fps < 10 ? 1 : 0)} frames a second`);
    if (job.seconds_left > 0) facts.push(leftText(job.seconds_left));
  } else if (job.state === 'queued') {
    facts.push(place > 0 ? `${plural(place, 'job')} before it` : 'Next');
  } else if (job.state === 'done') {
    if (job.result?.bytes) facts.push(bytesText(job.result.bytes));
    if (job.total > 1) facts.push(plural(job.total, 'frame'));
    const took = secondsBetween(job.started, job.ended);
    if (took !== null) facts.push(`made in ${secondsText(took)}`);
  }
  return facts.join(' · ');
}

/* Times are seconds since 1970, or text. */
function secondsBetween(from, to) {
  const [a, b] = [from, to].map((t) => typeof t === 'number' ? t : Date.parse(t) / 1000);
  return isFinite(a) && isFinite(b) && b >= a && a > 0 ? b - a : null;
}

function drawCard(job, place, waiting) {
  const c = cards.get(job.id) || makeCard(job.id);
  const name = job.name || 'Without a name';
  c.place = place;
  c.card.dataset.state = job.state;
  write(c.name, name);
  write(c.badge, STATE[job.state] || job.state);
  c.bar.hidden = job.state !== 'running';
  c.bar.value = job.progress || 0;
  set(c.bar, {'aria-label': `Progress of ${name}`});
  write(c.facts, factsOf(job, place));
  c.facts.hidden = !c.facts.textContent;
  write(c.message, job.message || '');
  c.message.hidden = !job.message || job.state === 'cancelled';
  c.play.hidden = c.download.hidden = job.state !== 'done';
  if (job.state === 'done') {
    c.download.href = `/v1/jobs/${job.id}/result`;
    c.download.download = job.result?.name || name;
  }
  c.up.hidden = c.down.hidden = job.state !== 'queued' || waiting < 2;
  c.up.disabled = place === 0;
  c.down.disabled = place === waiting - 1;
  c.cancel.hidden = !WAITING.has(job.state);
  c.remove.hidden = WAITING.has(job.state);
  for (const [button, text] of [[c.play, 'Show'], [c.download, 'Download'], [c.up, 'Move up'],
    [c.down, 'Move down'], [c.cancel, 'Cancel'], [c.remove, 'Remove']]) {
    set(button, {'aria-label': `${text}: ${name}`});
  }
  announce(job, c, name);
  return c.card;
}

/* What people who listen are told: changes of state, and each quarter. */
function announce(job, c, name) {
  const quarter = Math.floor(4 * (job.progress || 0));
  if (c.state && c.state !== job.state) {
    say(`${name}: ${(STATE[job.state] || job.state).toLowerCase()}.`);
    if (job.state === 'failed') note(`“${name}” failed. ${job.message || ''}`);
    if (job.state === 'done' && $('queue').hidden) note(`“${name}” is done.`, 'good');
  } else if (job.state === 'running' && quarter > c.announced && quarter < 4) {
    say(`${name}: ${25 * quarter} percent.`);
  }
  c.announced = quarter;
  c.state = job.state;
}

/* Running, then waiting in their order, then what ended, newest first. */
function sortedJobs() {
  const rank = (j) => j.state === 'running' ? 0 : j.state === 'queued' ? 1 : 2;
  const time = (j) => typeof j.ended === 'number' ? j.ended : Date.parse(j.ended || j.created) / 1000 || 0;
  return [...jobs.values()].sort((a, b) => rank(a) - rank(b) ||
    (rank(a) === 1 ? (a.position ?? 0) - (b.position ?? 0) : time(b) - time(a)));
}

function drawJobs() {
  const list = sortedJobs(), queued = list.filter((j) => j.state === 'queued');
  for (const id of [...cards.keys()]) {
    if (jobs.has(id)) continue;
    cards.get(id).card.remove();
    cards.delete(id);
  }
  list.forEach((job, i) => {
    const card = drawCard(job, queued.indexOf(job), queued.length);
    if ($('jobs').children[i] !== card) $('jobs').insertBefore(card, $('jobs').children[i] || null);
  });
  $('no-jobs').hidden = list.length > 0;
  drawTitle();
  const open = list.filter((j) => WAITING.has(j.state)).length;
  $('queue-count').hidden = !open;
  write($('queue-count'), String(open));
  set($('queue-count'), {'aria-label': `, ${plural(open, 'job')} not done`});
}

function putJob(job) {
  if (!job?.id) return;
  if (job.state === 'deleted' || job.deleted) jobs.delete(job.id);
  else jobs.set(job.id, job);
  if (job.state === 'running' && job.fps > 0) addSpeed(job);
  drawJobs();
}

async function loadJobs() {
  const answer = await askJson('GET', '/v1/jobs');
  jobs.clear();
  for (const job of answer.jobs || answer) jobs.set(job.id, job);
  drawJobs();
}

function play(job) {
  const at = `/v1/jobs/${job.id}/result`, type = job.result?.type || '';
  write($('player-title'), job.name || '');
  const body = type.startsWith('video/')
    ? el('video', {src: at, controls: true, autoplay: true, loop: true, playsinline: true})
    : el('img', {src: at, alt: `The result of ${job.name || 'the job'}`});
  body.addEventListener('error', () => $('player-body').replaceChildren(
    el('p', {class: 'hint'}, 'This browser cannot show this kind of file. Download it instead.')));
  $('player-body').replaceChildren(body);
  $('player').showModal();
}

// ---- events ----------------------------------------------------------------------------------------

let wait = 1000;

function listen() {
  const events = new EventSource('/v1/events');
  const json = (f) => (e) => {
    try {
      f(JSON.parse(e.data));
    } catch { /* a broken event is none */ }
  };
  events.addEventListener('job', json(putJob));
  events.addEventListener('model', json(putModel));
  events.onopen = () => {
    wait = 1000;
    banner('');
    loadJobs().catch(() => {});
  };
  events.onerror = () => {
    events.close();
    banner(AWAY);
    setTimeout(again, wait);
    wait = Math.min(2 * wait, 15000);
  };
}

/* Is it away, or does it not know this page any more? */
async function again() {
  try {
    await loadJobs();
    listen();
  } catch (error) {
    if (error.status === 401) return;
    setTimeout(again, wait);
    wait = Math.min(2 * wait, 15000);
  }
}

// ---- models ----------------------------------------------------------------------------------------

let models = [];
const fetching = new Map(); // kind/name -> {name, done, total}

async function loadModels() {
  try {
    const answer = await askJson('GET', '/v1/models');
    models = answer.models || answer;
    drawModels();
  } catch (error) {
    note(error.message);
  }
}

const keyOf = (m) => `${m.kind}/${m.name}`; // a name may be there for several kinds

/* What a job or a preview may be waiting for, or ''. */
function fetchText() {
  const [now] = fetching.values();
  if (!now) return '';
  return `Fetching ${now.name}${now.total ? `, ${Math.floor(100 * now.done / now.total)} %` : ''}`;
}

function putModel(event) {
  if (event.state === 'running') {
    fetching.set(keyOf(event), {name: event.name, done: event.bytes || 0, total: event.total || 0});
    write($('busy'), fetchText());
    if (!$('models').hidden) drawModels();
    return;
  }
  fetching.delete(keyOf(event));
  write($('busy'), fetchText() || 'Working');
  if (event.state !== 'installed' && event.state !== 'failed') return; // a file for a job or a preview
  if (event.state === 'failed') note(event.message || `${event.name} could not be fetched.`);
  else say(`${event.name} is installed.`);
  loadModels();
  refreshCaps().catch(() => {});
}

async function fetchModel(m) {
  fetching.set(keyOf(m), {name: m.name, done: 0, total: 0});
  drawModels();
  try {
    await ask('POST', `/v1/models/${encodeURIComponent(m.name)}/download?kind=${encodeURIComponent(m.kind)}`);
    say(`${m.name} is being fetched.`);
  } catch (error) {
    fetching.delete(keyOf(m));
    note(error.message);
    drawModels();
  }
}

function modelEnd(m) {
  const now = fetching.get(keyOf(m));
  if (now) {
    return el('span', {class: 'model-end'}, el('progress', {
      max: '1', value: now.total ? String(now.done / now.total) : null, 'aria-label': `Fetching ${m.name}`,
    }));
  }
  return el('span', {class: 'model-end'}, m.installed ? el('span', {class: 'installed'}, 'Installed')
    : m.can_fetch === false ? el('span', {class: 'hint'}, 'Not fetched')
      : el('button', {type: 'button', class: 'soft', 'aria-label': `Fetch ${m.name}`,
        onclick: () => fetchModel(m)}, 'Fetch'));
}

function drawModels() {
  const wanted = $('model-search').value.toLowerCase().split(/\s+/).filter(Boolean);
  const only = $('only-installed').checked;
  const list = models.filter((m) => (!only || m.installed) &&
    wanted.every((w) => `${m.name} ${m.kind} ${m.licence || ''}`.replace(/_/g, ' ').toLowerCase()
      .includes(w.replace(/_/g, ' '))));
  const groups = new Map();
  for (const m of list) groups.set(m.kind, [...groups.get(m.kind) || [], m]);
  const open = document.activeElement?.getAttribute('aria-label');
  $('model-list').replaceChildren(...[...groups].map(([kind, of]) => el('section', {class: 'panel models'},
    el('h2', {}, words(kind || 'other')),
    el('ul', {}, ...of.map((m) => el('li', {class: 'model'},
      el('span', {class: 'model-name'}, m.name),
      el('span', {class: 'model-licence'}, m.licence || 'licence not stated'),
      el('span', {class: 'model-size number'}, m.size > 0 ? bytesText(m.size) : ''),
      modelEnd(m)))))));
  if (open) [...$('model-list').querySelectorAll('button')].find((b) => b.getAttribute('aria-label') === open)?.focus();
  const have = models.filter((m) => m.installed);
  write($('models-sum'), list.length ? `${have.length} of ${plural(models.length, 'model')} installed, ` +
    `${bytesText(have.reduce((sum, m) => sum + Math.max(m.size || 0, 0), 0))}.` : 'No model has these words.');
}

// ---- engine ----------------------------------------------------------------------------------------

const speeds = []; // {time, fps} of the jobs that this page has seen at work

function addSpeed(job) {
  speeds.push({time: Date.now() / 1000, fps: job.fps});
  if (speeds.length > 240) speeds.shift();
  if (!$('engine').hidden) drawSpeeds();
}

let engineTimer = 0;
async function loadEngine() {
  clearTimeout(engineTimer);
  if ($('engine').hidden) return;
  try {
    drawEngine(await askJson('GET', '/v1/engine'));
  } catch (error) {
    write($('engine-lead'), error.message);
  }
  if (!$('engine').hidden && !document.hidden) engineTimer = setTimeout(loadEngine, 2000);
}

function drawEngine(e) {
  const last = e.last || {}, running = e.running, nodes = last.nodes || 0;
  const rate = running ? e.fps : last.frames / last.seconds;
  write($('engine-lead'), !e.last && !running
    ? 'Nothing was made since the server started. What a job does appears here.'
    : nodes ? 'The steps of a frame are written down once, as a graph; then they are played for each frame.'
      : 'What is done with a frame is a list of steps; several frames are in the works at once.');
  const facts = [
    ['Device', (e.device || '').toUpperCase()],
    [running ? 'Frames a second, now' : 'Frames a second, last job', rate > 0 ? rate.toFixed(rate < 10 ? 1 : 0) : ''],
    ['Frames of the last job', last.frames], ['Frames at once', last.slots], ['Nodes of a frame', nodes || ''],
    ['Of it networks', last.networks], ['Memory of a frame', last.list_memory ? bytesText(last.list_memory) : ''],
    ['Memory in all', e.memory ? bytesText(e.memory) : ''], ['Previews', e.previews],
  ].filter(([, v]) => v !== null && v !== undefined && v !== '');
  $('figures').replaceChildren(...facts.map(([name, v]) => el('div', {},
    el('dt', {}, name), el('dd', {class: 'number'}, String(v)))));
  drawStages((last.stages || []).filter((s) => s.own_seconds + s.model_seconds > 0));
  drawSlots(last.slots, running);
  drawSpeeds();
}

/* Of each stage what the networks take, and the rest. */
function drawStages(stages) {
  const time = (s) => s.own_seconds + s.model_seconds;
  const most = Math.max(...stages.map(time), 0), sum = stages.reduce((t, s) => t + time(s), 0);
  $('plot-stages').replaceChildren(...stages.map((s) => {
    const own = 100 * s.own_seconds / most, model = 100 * s.model_seconds / most;
    const bar = svg('svg', {viewBox: '0 0 100 6', preserveAspectRatio: 'none', 'aria-hidden': 'true'},
      svg('rect', {class: 'groove', width: '100', height: '6'}),
      svg('rect', {class: 'bar-0', width: String(model), height: '6'}),
      svg('rect', {class: 'bar-1', x: String(model), width: String(Math.max(own, 0.4)), height: '6'}));
    return el('div', {class: 'bar'}, el('span', {}, words(s.name)), bar,
      el('span', {class: 'number'}, `${secondsText(time(s))}, ${Math.round(100 * time(s) / sum)} %`));
  }));
  $('stages-key').hidden = !stages.length;
  if (!stages.length) $('plot-stages').replaceChildren(el('p', {class: 'hint'}, 'No job has been timed yet.'));
}

function drawSlots(n, running) {
  $('slots-panel').hidden = !(n > 0);
  if (!(n > 0)) return;
  $('plot-slots').replaceChildren(...Array.from({length: Math.min(n, 64)}, () =>
    el('i', {class: running ? 'on' : null})),
  el('p', {class: 'hint'}, `${plural(n, 'frame')} in the works at once${running ? ': a job runs.'
    : ' while a job runs.'}`));
}

function drawSpeeds() {
  const box = $('plot-fps');
  if (speeds.length < 2) {
    box.replaceChildren(el('p', {class: 'hint'}, 'The speed of running jobs is drawn here while this page is open.'));
    return;
  }
  const w = Math.max(box.clientWidth, 240), h = 180, left = 34, bottom = 18;
  const t0 = speeds[0].time, span = Math.max(speeds.at(-1).time - t0, 1);
  const top = niceTop(Math.max(...speeds.map((s) => s.fps)));
  const x = (t) => left + (w - left) * (t - t0) / span, y = (v) => (h - bottom) * (1 - v / top) + 6 * v / top;
  const line = speeds.map((s) => `${x(s.time).toFixed(1)},${y(s.fps).toFixed(1)}`).join(' ');
  const plot = svg('svg', {viewBox: `0 0 ${w} ${h}`, role: 'img',
    'aria-label': `Frames a second over ${secondsText(span)}; now ${speeds.at(-1).fps.toFixed(1)}, ` +
      `at most ${Math.max(...speeds.map((s) => s.fps)).toFixed(1)}.`});
  for (const part of [0, 0.5, 1]) {
    plot.append(svg('line', {class: 'rule', x1: left, x2: w, y1: y(part * top), y2: y(part * top)}));
    const text = svg('text', {x: left - 6, y: y(part * top) + 4, 'text-anchor': 'end'});
    text.textContent = String(+(part * top).toPrecision(3));
    plot.append(text);
  }
  plot.append(svg('polygon', {class: 'area', points: `${left},${h - bottom} ${line} ${w},${h - bottom}`}),
    svg('polyline', {class: 'line', points: line}));
  const when = svg('text', {x: w, y: h - 2, 'text-anchor': 'end'});
  when.textContent = `the last ${secondsText(span)}`;
  plot.append(when);
  box.replaceChildren(plot);
}

/* The next of 1, 2, 5, 10, 20 … */
function niceTop(v) {
  const ten = 10 ** Math.floor(Math.log10(v || 1));
  return [1, 2, 5, 10].find((n) => n * ten >= v) * ten;
}

// ---- all of it -------------------------------------------------------------------------------------

async function refreshCaps() {
  S.caps = {...S.caps, ...await askJson('GET', '/v1/capabilities')};
  drawOptions();
}

async function begin() {
  theme(localStorage.getItem('reprise.theme'));
  $('theme').onclick = () => {
    const kept = localStorage.getItem('reprise.theme');
    const dark = kept ? kept === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    theme(dark ? 'light' : 'dark');
  };
  showBefore = newest($('before'));
  setUpFiles();
  setUpView();
  setUpTime();
  setUpOptions();
  setUpSend();
  $('player-close').onclick = () => $('player').close();
  $('player').addEventListener('close', () => $('player-body').replaceChildren());
  $('model-search').oninput = drawModels;
  $('only-installed').onchange = drawModels;
  addEventListener('hashchange', () => { // a new key in the same tab
    if (location.hash.includes('key=')) location.reload();
    else showPage();
  });
  addEventListener('resize', debounce(() => {
    drawTime();
    if (!$('engine').hidden) drawSpeeds();
  }, 100));
  document.addEventListener('visibilitychange', loadEngine);
  document.addEventListener('keydown', (e) => {
    if (e.key === 'Escape' && !e.defaultPrevented) $('notes').lastChild?.remove();
  });
  showPage();
  try {
    await enter();
    S.caps = {...S.caps, ...await askJson('GET', '/v1/capabilities')};
    const media = await askJson('GET', '/v1/media');
    for (const m of media.media || media) S.media.set(m.id, m);
    restore();
    write($('device'), (S.caps.device || '').toUpperCase());
    drawOptions();
    changed();
    await loadJobs();
    showPage();
    listen();
    document.documentElement.dataset.ready = '1';
  } catch (error) {
    banner(error.status === 401 ? ENDED : error.message);
    if (error.status !== 401) setTimeout(() => location.reload(), 5000);
  }
}

begin();
})();
