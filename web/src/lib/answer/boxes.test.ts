import { expect, it } from 'vitest';
import { boxesAt, findBoxes } from './boxes';

const answer = `\`\`\`json
[{"bbox_2d": [100, 200, 300, 600], "label": "red circle", "time": 2.5},
 {"label": "square", "bbox_2d": [0, 0, 1000, 1000]}]
\`\`\``;

it('reads boxes with their labels and times', () => {
  expect(findBoxes(answer)).toEqual([
    { x: 100, y: 200, width: 200, height: 400, label: 'red circle', seconds: 2.5 },
    { x: 0, y: 0, width: 1000, height: 1000, label: 'square', seconds: null },
  ]);
});

it('takes complete boxes out of JSON that is still arriving', () => {
  expect(findBoxes('[{"bbox_2d": [1, 2, 3, 4], "label": "a"}, {"bbox_2d": [5, 6')).toHaveLength(1);
});

it.each([
  '{"bbox_2d": [300, 200, 100, 600]}',
  '{"bbox_2d": [0, 0, 1, 1001]}',
  '{"bbox_2d": [1, 2, 3]}',
  '{"bbox_2d": [1, 2, 3, 4], broken}',
  '{"bbox_2d": ["a", 2, 3, 4]}',
])('drops %j', (text) => {
  expect(findBoxes(text)).toEqual([]);
});

it('shows a box at its moment only, one without a time always', () => {
  const boxes = findBoxes(answer);
  expect(boxesAt(boxes, 2.2).map((box) => box.label)).toEqual(['red circle', 'square']);
  expect(boxesAt(boxes, 4).map((box) => box.label)).toEqual(['square']);
});
