import { expect, it } from 'vitest';
import { findCues, toSrt, toVtt } from './subtitles';

it('makes cues of timed lines, each until the next begins', () => {
  const cues = findCues('- **[00:01.0]** A circle moves.\n- [00:02.5] It stops.\n\nThe end.', 8);
  expect(cues).toEqual([
    { start: 1, end: 2.5, text: 'A circle moves.' },
    { start: 2.5, end: 8, text: 'It stops.' },
  ]);
});

it('takes a range at its word', () => {
  expect(findCues('1. 00:01 - 00:04: It turns & <waits>.', 60)).toEqual([
    { start: 1, end: 4, text: 'It turns & <waits>.' },
  ]);
});

it('finds the timed sentences of prose', () => {
  const cues = findCues('A square waits. A star appears at [00:04.0] and moves left.', 6);
  expect(cues).toEqual([{ start: 4, end: 6, text: 'A star appears at [00:04.0] and moves left.' }]);
});

it('leaves out what the clip does not have, code, and lines without words', () => {
  expect(findCues('[01:00] Late.\n```\n{"start": 1}\n```\n00:02', 10)).toEqual([]);
});

it('writes SubRip', () => {
  expect(toSrt(findCues('00:01 One.\n01:02:03.5 Two.', 4000))).toBe(
    '1\n00:00:01,000 --> 00:00:07,000\nOne.\n\n2\n01:02:03,500 --> 01:02:09,500\nTwo.\n',
  );
});

it('writes WebVTT with its text escaped', () => {
  expect(toVtt([{ start: 0, end: 1.25, text: 'a < b & c --> d' }])).toBe(
    'WEBVTT\n\n00:00:00.000 --> 00:00:01.250\na &lt; b &amp; c --&gt; d\n',
  );
});
