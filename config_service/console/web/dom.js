// Elements. Text goes in as text nodes, whatever it is: nothing here, or
// anywhere else in the console, makes markup of a string.

/** h('a', {href: '#/x', class: 'b', onclick: f}, 'text', other) */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) {
      element.addEventListener(name.slice(2), value);
    } else if (name === 'value' || name === 'checked' || name === 'selected') {
      element[name] = value;
    } else {
      element.setAttribute(name, value === true ? '' : String(value));
    }
  }
  add(element, children);
  return element;
}

export function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

let last = 0;
/** An id that no other element has. */
export const newId = (stem) => `${stem}-${++last}`;

/** Tells people who do not see the change, and those who do. */
export function announce(text) {
  const status = document.getElementById('status');
  const line = h('p', {}, text);
  status.replaceChildren(line);
  setTimeout(() => line.remove(), 8000);
}
