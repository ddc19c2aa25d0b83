import { renderToStaticMarkup } from 'react-dom/server';
import { expect, it } from 'vitest';
import Markdown from './markdown';

const html = (text: string) =>
  renderToStaticMarkup(<Markdown text={text} duration={10} onSeek={() => undefined} />);

it('renders Markdown', () => {
  expect(html('**bold**\n\n- one\n- two')).toContain('<strong>bold</strong>');
  expect(html('| a | b |\n|---|---|\n| 1 | 2 |')).toContain('<td>1</td>');
});

it.each([
  ['HTML is text', '<script>alert(1)</script><img src=x onerror=alert(1)>', /<script|<img/],
  ['addresses that run something', '[a](javascript:alert(1)) [b](data:text/html,x)', /alert|data:/],
  ['pictures from elsewhere', '![cat](https://example.org/cat.png)', /<img|example/],
])('lets nothing through: %s', (_, text, forbidden) => {
  expect(html(text)).not.toMatch(forbidden);
});

it('makes chips of times, also in code, and strikes out what the clip does not have', () => {
  expect(html('At [00:04] and `00:05`.').match(/data-testid="time-chip"/g)).toHaveLength(2);
  expect(html('At 00:59.')).toContain('data-testid="time-outside"');
});
