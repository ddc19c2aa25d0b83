import { expect, it } from 'vitest';
import { bytes, clock, duration, percent } from './format';

it('writes clocks', () => {
  expect([0, 4.97, 59.99, 60, 3725].map((s) => clock(s))).toEqual([
    '0:00',
    '0:04',
    '0:59',
    '1:00',
    '1:02:05',
  ]);
  expect(clock(4.97, true)).toBe('0:04.9');
  expect(clock(0.3 * 3, true)).toBe('0:00.9');
  expect(clock(NaN)).toBe('0:00');
});

it('writes sizes, lengths and shares', () => {
  expect([0, 999, 1000, 999_600, 1_048_576_000].map(bytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '1.0 MB',
    '1.0 GB',
  ]);
  expect([0.42, 59.6, 75, 120, 7300].map(duration)).toEqual([
    '0.4 s',
    '1 min',
    '1 min 15 s',
    '2 min',
    '2 h 2 min',
  ]);
  expect([-1, 0.456, 2].map(percent)).toEqual(['0 %', '46 %', '100 %']);
});
