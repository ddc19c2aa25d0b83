import { describe, expect, it } from 'vitest';
import { findTimes, timesWithin } from './times';

const seconds = (text: string) => findTimes(text).map((mark) => mark.seconds);
const words = (text: string) => findTimes(text).map((mark) => text.slice(mark.from, mark.to));

describe('findTimes', () => {
  it.each([
    ['at [00:04]', [4]],
    ['at [00:04.5]', [4.5]],
    ['at [ 1:02:03.25 ]', [3723.25]],
    ['from 0:04 to 12:34', [4, 754]],
    ['75:00 is fine, minutes may pass 59', [4500]],
    ['00:00:04,500 --> 00:00:06,000', [4.5, 6]],
    ['at <12.0 seconds> and <3 s>', [12, 3]],
    ['{"start": 4.5, "end": "6"}', [4.5, 6]],
    ['{"time": "00:07.5"}', [7.5]],
    ['{"timestamp_s": 3, "start_time": 1.25}', [3, 1.25]],
    ['00:01, 00:02. Then 00:03!', [1, 2, 3]],
    ['**00:01:** bold', [1]],
  ])('reads %j', (text, expected) => {
    expect(seconds(text)).toEqual(expected);
  });

  it.each([
    'the ratio is 16:9',
    'it is 10:30 am, or 4:05 p.m.',
    '1:02:03:04 is no time',
    '99:99',
    '1:75:00 has too many minutes',
    '{"count": 4, "score": 0.5}',
    'verse 3:7',
    '',
  ])('finds none in %j', (text) => {
    expect(seconds(text)).toEqual([]);
  });

  it('covers the brackets, but in JSON the number only', () => {
    expect(words('a [00:04] b <2 seconds> {"start": 1.5}')).toEqual([
      '[00:04]',
      '<2 seconds>',
      '1.5',
    ]);
  });

  it('never gives overlapping marks', () => {
    const marks = findTimes('[00:01]00:02 {"time": "00:03"} <4 s>');
    expect(marks.map((mark) => mark.seconds)).toEqual([1, 2, 3, 4]);
    marks.forEach((mark, i) => expect(mark.from).toBeGreaterThanOrEqual(marks[i - 1]?.to ?? 0));
  });
});

describe('timesWithin', () => {
  it('keeps what the clip has, ascending and once', () => {
    expect(timesWithin('00:05, 00:02, 00:05 and 01:00', 6)).toEqual([2, 5]);
  });
});
