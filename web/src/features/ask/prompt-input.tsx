'use client';

import { useState, type KeyboardEvent, type ReactNode, type RefObject } from 'react';
import { count } from '@/lib/format';
import { ui } from '@/lib/strings/ui';
import { recentQuestions } from './recent';

interface Props {
  field: RefObject<HTMLTextAreaElement | null>;
  value: string;
  onChange: (value: string) => void;
  onSend: () => void;
  /** A question about videos that have been asked about before. */
  following: boolean;
  /** Before the page's script runs, the browser itself sees to it that there is a question. */
  required: boolean;
  /** What sends it. */
  children: ReactNode;
}

const longest = 32_768;

export function PromptInput(props: Props) {
  const { field, value, onChange, onSend, following, required, children } = props;
  const [past, setPast] = useState(-1); // how far back in the questions; -1: not at all

  function keys(event: KeyboardEvent<HTMLTextAreaElement>) {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      onSend();
      return;
    }
    const recalling = past >= 0 || value === '';
    if (!recalling || (event.key !== 'ArrowUp' && event.key !== 'ArrowDown')) return;
    const questions = recentQuestions();
    const next = past + (event.key === 'ArrowUp' ? 1 : -1);
    if (next < -1 || next >= questions.length) return;
    event.preventDefault();
    setPast(next);
    onChange(questions[next] ?? '');
  }

  return (
    <div>
      <label htmlFor="prompt" className="mb-1.5 block text-sm font-semibold">
        {ui.ask.label}
      </label>
      <textarea
        ref={field}
        id="prompt"
        name="prompt"
        data-testid="prompt-input"
        aria-describedby="prompt-keys"
        rows={2}
        maxLength={longest}
        required={required}
        placeholder={following ? ui.ask.followHint : ui.ask.hint}
        value={value}
        onKeyDown={keys}
        onChange={(event) => {
          setPast(-1);
          onChange(event.target.value);
        }}
        className={`field-sizing-content max-h-64 min-h-18 w-full resize-y rounded-xl border
          border-edge bg-card px-3.5 py-2.5 placeholder:text-soft`}
      />
      <div className="mt-1.5 flex items-center justify-between gap-3">
        <p id="prompt-keys" className="flex flex-wrap gap-x-4 text-xs text-soft noscript:hidden">
          <span className="pointer-coarse:hidden">{ui.ask.keys}</span>
          <span className="tabular-nums">{ui.ask.chars(count(value.length))}</span>
        </p>
        {children}
      </div>
    </div>
  );
}
