#!/usr/bin/env node
// node scripts/make_guide.mjs DOCS OUT: makes the pages of /docs/guide in the export OUT from the
// Markdown in DOCS. They are plain HTML without scripts of their own, in the page's own style, with
// the .svg files of DOCS beside them.
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createElement as h } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import Markdown from 'react-markdown';
import remarkGfm from 'remark-gfm';

/** In the order in which people need them; pages that are not named come last. */
const order = ['QUICKSTART', 'MODELS', 'FAQ', 'CONFIGURATION', 'DEPLOYMENT', 'BACKENDS'];
const later = ['API', 'MIGRATING', 'RELIABILITY', 'ARCHITECTURE', 'BENCHMARKS'];

const root = '/docs/guide';
const [docs, out] = process.argv.slice(2);

const rank = (name) => ([...order, ...later].indexOf(name) + 1 || 99).toString().padStart(2, '0');
const address = (name) => `${root}/${name.toLowerCase().replaceAll('_', '-')}`;

/** The text of a piece of Markdown, without its marks. */
function textOf(node) {
  if (typeof node === 'string') return node;
  return Array.isArray(node) ? node.map(textOf).join('') : textOf(node?.props?.children ?? '');
}

const slug = (text) =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

const titles = new Map();

/** Links between pages stay; files that are not served are named, and no more. */
function link({ href = '', children }) {
  const [, name, anchor = ''] = /^([A-Z_]+)\.md(#.*)?$/.exec(href) ?? [];
  if (name) {
    const text = textOf(children) === `${name}.md` ? (titles.get(name) ?? name) : children;
    return h('a', { href: address(name) + anchor }, text);
  }
  if (/^(https?:|#)/.test(href)) return h('a', { href, rel: 'noopener noreferrer' }, children);
  return h('span', null, children);
}

/** What the <svg> of each picture says of its size, by file name. */
const sizes = new Map();

/** A picture of DOCS; its size keeps its place on the page until it is there. */
function picture({ src, alt }) {
  if (!sizes.has(src)) throw new Error(`there is no picture ${src} beside the page that shows it`);
  return h('img', { src: `${root}/${src}`, alt, ...sizes.get(src) });
}

const heading = (tag) =>
  function Heading({ children }) {
    return h(tag, { id: slug(textOf(children)) }, children);
  };

const scrolls = 'overflow-x-auto rounded-lg outline-offset-2';
const components = {
  a: link,
  img: picture,
  h1: heading('h1'),
  h2: heading('h2'),
  h3: heading('h3'),
  // What may be wider than the screen scrolls by itself, by keyboard too.
  table: ({ children }) =>
    h('div', { tabIndex: 0, role: 'group', 'aria-label': 'Table', className: scrolls }, [
      h('table', { key: 'table' }, children),
    ]),
  pre: ({ children }) =>
    h('pre', { tabIndex: 0, role: 'group', 'aria-label': 'Code', className: scrolls }, children),
  // Without the style attribute that aligns them, which the page's policy refuses.
  th: ({ children }) => h('th', null, children),
  td: ({ children }) => h('td', null, children),
};

const render = (text) => h(Markdown, { remarkPlugins: [remarkGfm], components, children: text });

/** A page in its frame; `head` is what the page of the export has there: styles and theme. */
function pageOf(pages, current, head, body) {
  const item = ({ name, title }) =>
    h(
      'li',
      { key: name },
      h(
        'a',
        {
          href: address(name),
          'aria-current': name === current ? 'page' : undefined,
          className:
            'block rounded-lg px-3 py-1.5 text-sm text-soft hover:bg-sunk hover:text-ink ' +
            'aria-[current]:bg-wash aria-[current]:font-medium aria-[current]:text-brand',
        },
        title,
      ),
    );
  const frame = h(
    'div',
    { className: 'mx-auto max-w-7xl px-4 pb-16 lg:px-6' },
    h(
      'header',
      { className: 'flex h-14 items-center gap-4 border-b border-line' },
      h('a', { href: '/', className: 'font-bold tracking-tight' }, 'TRU'),
      h('a', { href: root, className: 'text-sm text-soft hover:text-ink' }, 'Guide'),
      h('a', { href: '/', className: 'ml-auto text-sm text-brand underline' }, 'Ask a video'),
    ),
    h(
      'div',
      { className: 'gap-10 lg:grid lg:grid-cols-[13rem_minmax(0,1fr)]' },
      h(
        'nav',
        { 'aria-label': 'Pages of the guide', className: 'py-6 lg:-ml-3' },
        h('ul', { className: 'flex flex-wrap gap-0.5 lg:sticky lg:top-6 lg:flex-col' }, [
          ...pages.map(item),
        ]),
      ),
      h('main', { className: 'prose-answer prose-guide min-w-0 py-6' }, body),
    ),
  );
  const title = current ? `${pages.find(({ name }) => name === current).title} · TRU` : 'TRU guide';
  return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">${head}</head>
<body class="min-h-dvh font-sans antialiased">${renderToStaticMarkup(frame)}</body></html>
`;
}

function index(pages) {
  const entry = ({ name, title, lead }) =>
    h(
      'li',
      { key: name },
      h('a', { href: address(name), className: 'font-semibold' }, title),
      h('div', null, render(lead)),
    );
  return [
    h('h1', { key: 'title' }, 'Guide'),
    h('ul', { key: 'pages', className: 'guide-index' }, pages.map(entry)),
  ];
}

const front = await readFile(path.join(out, 'index.html'), 'utf8');
const head = [
  ...(front.match(/<script>try\{[\s\S]*?<\/script>/g) ?? []), // the theme that was chosen
  ...(front.match(/<link rel="stylesheet"[^>]*>/g) ?? []),
  ...(front.match(/<link rel="icon"[^>]*>/g) ?? []),
].join('');
const names = await readdir(docs);
const folder = path.join(out, root);
await mkdir(folder, { recursive: true });
for (const name of names.filter((file) => file.endsWith('.svg'))) {
  const text = await readFile(path.join(docs, name), 'utf8');
  const [, width, height] = /<svg\s[^>]*\bwidth="(\d+)" height="(\d+)"/.exec(text) ?? [];
  sizes.set(name, { width, height });
  await copyFile(path.join(docs, name), path.join(folder, name));
}
const pages = await Promise.all(
  names
    .filter((name) => name.endsWith('.md'))
    .map((name) => name.replace(/\.md$/, ''))
    .sort((a, b) => (rank(a) + a).localeCompare(rank(b) + b))
    .map(async (name) => {
      const text = await readFile(path.join(docs, `${name}.md`), 'utf8');
      const title = /^# (.+)/.exec(text)?.[1] ?? name;
      const lead = /^# .+\n+(?!```)([^\n#|][\s\S]*?)\n\n/.exec(text)?.[1] ?? '';
      return { name, text, title, lead };
    }),
);
for (const { name, title } of pages) titles.set(name, title);
await writeFile(`${folder}.html`, pageOf(pages, null, head, index(pages)));
for (const { name, text } of pages) {
  const file = path.join(out, `${address(name)}.html`);
  await writeFile(file, pageOf(pages, name, head, render(text)));
}
