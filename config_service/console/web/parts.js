// What views are made of.

import {ApiError} from './api.js';
import {add, announce, h, newId} from './dom.js';

const DAY = 86400000;
export const SOON = 30 * DAY;

export const idOf = (name) => name.split('/').pop();
export const link = (path, text) => h('a', {href: '#/' + path}, text);
export const changed = () => document.dispatchEvent(new Event('sallyport:changed'));

/** "2026-01-31 12:00 UTC" */
export function time(text) {
  if (!text) return '–';
  return h('time', {datetime: text}, text.slice(0, 16).replace('T', ' ') + ' UTC');
}

/** "in 12 days", "3 days ago" */
export function distance(text) {
  const days = Math.floor((Date.parse(text) - Date.now()) / DAY);
  if (days >= 0) return days === 1 ? 'in 1 day' : `in ${days} days`;
  return days === -1 ? '1 day ago' : `${-days} days ago`;
}

/** seconds of a google.protobuf.Duration, for people */
export const duration = (text) => (text ? `${Number.parseFloat(text).toFixed(2)} s` : '–');

export const badge = (kind, text) => h('span', {class: `badge ${kind}`}, text);

export function expiryBadge(notAfter) {
  const left = Date.parse(notAfter) - Date.now();
  if (left < 0) return badge('bad', `expired ${distance(notAfter)}`);
  return badge(left < SOON ? 'warn' : 'good', distance(notAfter));
}

/** A line from one date to another, with today on it; `from` and `to` in ms. */
export function timeline(notBefore, notAfter, from, to) {
  const place = (t) => Math.min(100, Math.max(0, (t - from) * 100 / (to - from)));
  const begin = place(Date.parse(notBefore));
  const end = place(Date.parse(notAfter));
  const left = Date.parse(notAfter) - Date.now();
  const bar = h('span');
  bar.style.left = `${begin}%`;
  bar.style.width = `${Math.max(1, end - begin)}%`;
  const today = h('i');
  today.style.left = `${place(Date.now())}%`;
  // What it shows is in the cells beside it.
  return h('div', {class: `time ${left < 0 ? 'over' : left < SOON ? 'soon' : ''}`, 'aria-hidden': 'true'},
    bar, today);
}

/** The window of a timeline: a year ago to two years from now. */
export const timeWindow = () => [Date.now() - 365 * DAY, Date.now() + 730 * DAY];

export function section(title, actions, ...content) {
  const id = newId('section');
  return h('section', {'aria-labelledby': id},
    h('div', {class: 'top'}, h('h2', {id}, title), h('div', {class: 'actions'}, actions)), content);
}

/** columns: [['Name', item => content], ...] */
export function table(caption, columns, items, empty = 'There is nothing yet.') {
  if (!items.length) return h('p', {class: 'soft'}, empty);
  return h('div', {class: 'wrap', tabindex: 0, role: 'group', 'aria-label': caption},
    h('table', {}, h('caption', {}, caption),
      h('thead', {}, h('tr', {}, columns.map(([name]) => h('th', {scope: 'col'}, name)))),
      h('tbody', {}, items.map((item) => h('tr', {},
        columns.map(([, content], i) => {
          const cell = content(item);
          return h(i === 0 ? 'th' : 'td', i === 0 ? {scope: 'row'} : {}, cell);
        }))))));
}

/** pairs: [['Name', content], ...]; what is undefined is left out */
export function facts(pairs) {
  return h('dl', {}, pairs.filter(([, value]) => value !== undefined).map(([name, value]) => [
    h('dt', {}, name), h('dd', {}, value === '' ? '–' : value)]));
}

export function trail(...steps) {
  return h('p', {class: 'trail'}, steps.map(([path, text]) => [link(path, text), ' / ']));
}

const CONDITIONS = {STATUS_TRUE: ['good', 'yes'], STATUS_FALSE: ['bad', 'no'], STATUS_UNKNOWN: ['', 'not known yet']};
// These are good news when they are false.
const INVERSE = new Set(['Expiring']);

export function conditions(list) {
  if (!list.length) return '–';
  return h('ul', {class: 'plain'}, list.map((one) => {
    let [kind, text] = CONDITIONS[one.status] || ['', one.status];
    if (INVERSE.has(one.type) && kind) kind = kind === 'good' ? 'warn' : 'good';
    if (one.type === 'InUse') kind = '';
    return h('li', {}, `${one.type}: `, badge(kind, text), one.message ? ` ${one.message}` : '');
  }));
}

export function warnings(list, count = list.length) {
  if (!list.length) return null;
  return h('div', {class: 'box warn'},
    h('p', {}, h('strong', {}, count === 1 ? '1 warning' : `${count} warnings`)),
    h('ul', {}, list.map((one) => h('li', {}, one.message,
      one.subject ? ` (${one.subject}${one.line ? `, line ${one.line}` : ''})` : '',
      one.removesTrust ? '; it gives no trust' : '', ' ', h('code', {}, one.reason)))));
}

export function errorBox(error) {
  const lines = (error.violations || []).map((one) =>
    h('li', {}, one.field ? [h('code', {}, one.field), ' '] : '', one.description));
  return h('div', {class: 'box bad', role: 'alert', tabindex: -1},
    h('p', {}, error.message), lines.length ? h('ul', {}, lines) : null);
}

export function button(text, onclick, kind = '') {
  return h('button', {type: 'button', class: kind, onclick, id: 'b-' + text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}, text);
}

/** Copies text; where the browser does not let, the text is there to be marked. */
export function copyButton(label, text) {
  return button(label, async () => {
    try {
      await navigator.clipboard.writeText(text);
      announce('Copied.');
    } catch {
      announce('The browser does not let this page copy; mark the text and copy it.');
    }
  });
}

/** Saves text as a file. */
export function saveButton(label, name, text) {
  return button(label, () => {
    const url = URL.createObjectURL(new Blob([text], {type: 'application/x-pem-file'}));
    const a = h('a', {href: url, download: name});
    a.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });
}

// Fields: {name, label, type, value, help, options, required, path, when}.
// `type` is text (default), textarea, select, check, file, number; `options` of a
// select are [value, text]; `path` is the request's field that violations name;
// `when(values)` says whether the field is there.
export function form(fields, {submit, onSubmit, onCancel, intro, danger}) {
  const controls = new Map();
  const rows = [];
  const problems = h('div');
  const read = () => Object.fromEntries([...controls].map(([name, control]) => [
    name, control.type === 'checkbox' ? control.checked : control.type === 'file' ? control.files[0] : control.value]));
  const arrange = () => {
    const values = read();
    for (const [field, row] of rows) row.hidden = Boolean(field.when && !field.when(values));
  };
  for (const field of fields) {
    const id = newId('field');
    const help = field.help ? h('p', {class: 'help', id: `${id}-help`}, field.help) : null;
    const common = {id, name: field.name, 'aria-describedby': help ? `${id}-help` : null,
      'aria-required': field.required ? 'true' : null, autocomplete: 'off', spellcheck: 'false'};
    let control;
    if (field.type === 'select') {
      control = h('select', common, field.options.map(([value, text]) =>
        h('option', {value, selected: value === (field.value ?? '')}, text)));
    } else if (field.type === 'textarea') {
      control = h('textarea', common);
      control.value = field.value ?? '';
    } else if (field.type === 'check') {
      control = h('input', {...common, type: 'checkbox', checked: Boolean(field.value)});
    } else {
      control = h('input', {...common, type: field.type || 'text'});
      if (field.type !== 'file') control.value = field.value ?? '';
    }
    controls.set(field.name, control);
    const label = h('label', {for: id}, field.label, field.required ? '' : field.type === 'check' ? '' : h('span', {class: 'soft'}, ' (optional)'));
    const row = field.type === 'check'
      ? h('div', {class: 'field check'}, control, label, help)
      : h('div', {class: 'field'}, label, control, help);
    rows.push([field, row]);
  }
  const send = h('button', {type: 'submit', class: danger ? 'danger' : 'main'}, submit);
  const element = h('form', {novalidate: true, oninput: () => { element.dataset.dirty = ''; arrange(); },
    onsubmit: async (event) => {
      event.preventDefault();
      if (send.disabled) return;
      problems.replaceChildren();
      for (const old of element.querySelectorAll('.wrong')) old.remove();
      for (const control of controls.values()) control.removeAttribute('aria-invalid');
      const values = read();
      const missing = rows.filter(([field, row]) => field.required && !row.hidden && !values[field.name]);
      if (missing.length) {
        fail(new ApiError(0, {message: 'Something is missing.', violations: missing.map(([field]) =>
          ({field: field.path || field.name, description: `${field.label}: is needed`}))}));
        return;
      }
      send.disabled = true;
      element.setAttribute('aria-busy', 'true');
      try {
        await onSubmit(values);
        delete element.dataset.dirty;
      } catch (error) {
        fail(error);
      } finally {
        send.disabled = false;
        element.removeAttribute('aria-busy');
      }
    }}, intro, problems, rows.map(([, row]) => row),
    h('div', {class: 'actions'}, send,
      onCancel ? h('button', {type: 'button', onclick: onCancel}, 'Cancel') : null));
  function fail(error) {
    if (!(error instanceof ApiError)) console.error(error);
    for (const {field: path, description} of error.violations || []) {
      const found = rows.find(([field]) => (field.path || field.name) === path ||
        (field.path && path.startsWith(field.path)));
      if (!found) continue;
      const control = controls.get(found[0].name);
      control.setAttribute('aria-invalid', 'true');
      found[1].append(h('p', {class: 'wrong'}, description));
    }
    const box = errorBox(error);
    problems.replaceChildren(box);
    box.focus();
  }
  arrange();
  return element;
}

/** A form in a dialog; resolves when it is closed. `then` announces the end. */
export function dialog(title, fields, {onSubmit, done, submit = 'Save changes', intro, danger}) {
  const id = newId('dialog');
  const box = h('dialog', {'aria-labelledby': id, onclose: () => box.remove()});
  add(box, [h('h2', {id}, title), form(fields, {
    submit, intro, danger, onCancel: () => box.close(),
    onSubmit: async (values) => {
      const view = location.hash;
      await onSubmit(values);
      box.close();
      if (done) announce(done);
      if (location.hash === view) changed();
    },
  })]);
  document.body.append(box);
  box.showModal();
  (box.querySelector('input:not([type="hidden"]), select, textarea') || box.querySelector('button')).focus();
}

/** Asks before what cannot be taken back. */
export function confirm(title, text, submit, onSubmit, done) {
  dialog(title, [], {submit, onSubmit, done, danger: true, intro: h('p', {}, text)});
}

/** Bytes of a file or of text as the JSON of Protocol Buffers has them. */
export async function base64(source) {
  const bytes = typeof source === 'string'
    ? new TextEncoder().encode(source) : new Uint8Array(await source.arrayBuffer());
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

export function textOf(bytes) {
  const raw = Uint8Array.from(atob(bytes || ''), (c) => c.charCodeAt(0));
  return new TextDecoder().decode(raw);
}
