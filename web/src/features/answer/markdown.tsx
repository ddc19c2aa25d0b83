'use client';

import { useMemo } from 'react';
import ReactMarkdown, { type Components } from 'react-markdown';
import remarkGfm from 'remark-gfm';
import { findTimes } from '@/lib/answer/times';
import { ui } from '@/lib/strings/ui';
import { TimeChip } from './time-chip';

interface Props {
  text: string;
  duration: number;
  onSeek: (seconds: number) => void;
}

interface Node {
  type: string;
  value?: string;
  tagName?: string;
  properties?: Record<string, unknown>;
  children?: Node[];
}

/** A rehype plug-in: puts a <time-chip> in the place of every time in the text, code included. */
function markTimes() {
  const visit = (node: Node) => {
    node.children = node.children?.flatMap((child) => {
      if (child.type === 'text') return split(child.value ?? '');
      visit(child);
      return [child];
    });
  };
  return visit;
}

function split(text: string): Node[] {
  const nodes: Node[] = [];
  let from = 0;
  for (const mark of findTimes(text)) {
    if (mark.from > from) nodes.push({ type: 'text', value: text.slice(from, mark.from) });
    nodes.push({
      type: 'element',
      tagName: 'time-chip',
      properties: { seconds: mark.seconds, label: text.slice(mark.from, mark.to) },
      children: [],
    });
    from = mark.to;
  }
  if (from < text.length) nodes.push({ type: 'text', value: text.slice(from) });
  return nodes;
}

/**
 * The answer's Markdown. Safe: HTML in it is shown as text, addresses of unusual schemes are
 * dropped, and pictures, which would be fetched from other hosts, are only named.
 */
export default function Markdown({ text, duration, onSeek }: Props) {
  const components = useMemo(() => {
    const chip = ({ seconds, label }: { seconds: number; label: string }) => (
      <TimeChip text={label} seconds={Number(seconds)} duration={duration} onSeek={onSeek} />
    );
    return {
      'time-chip': chip,
      a: ({ href, children }) => (
        <a href={href} target="_blank" rel="noopener noreferrer nofollow">
          {children}
        </a>
      ),
      img: ({ alt }) => <em>{alt || ui.answer.image}</em>,
      pre: ({ children }) => <pre tabIndex={-1}>{children}</pre>,
    } as Components;
  }, [duration, onSeek]);
  return (
    <ReactMarkdown remarkPlugins={[remarkGfm]} rehypePlugins={[markTimes]} components={components}>
      {fenced(text)}
    </ReactMarkdown>
  );
}

/** A bare JSON answer is code, and looks like it. */
function fenced(text: string): string {
  const bare = /^\s*[[{]\s*["{[]/.test(text) && !text.includes('```');
  return bare ? `\`\`\`json\n${text.trim()}\n\`\`\`` : text;
}
