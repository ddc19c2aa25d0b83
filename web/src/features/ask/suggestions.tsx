'use client';

import { ui } from '@/lib/strings/ui';
import { useRecentQuestions } from './recent';

interface Props {
  onPick: (question: string) => void;
}

/** Questions to begin with: some examples, then what was asked lately. */
export function Suggestions({ onPick }: Props) {
  const recent = useRecentQuestions().slice(0, 4);
  const examples = ui.exampleQuestions.filter((question) => !recent.includes(question));
  return (
    <div className="space-y-2">
      <Row label={ui.ask.examples} questions={examples} onPick={onPick} />
      {recent.length > 0 && <Row label={ui.ask.recent} questions={recent} onPick={onPick} />}
    </div>
  );
}

function Row(props: { label: string; questions: string[]; onPick: (question: string) => void }) {
  return (
    <div className="flex flex-wrap items-center gap-1.5">
      <span className="mr-1 text-sm text-soft">{props.label}</span>
      {props.questions.map((question) => (
        <button
          key={question}
          type="button"
          onClick={() => props.onPick(question)}
          className={`min-h-8 max-w-full truncate rounded-full border border-line bg-card px-3
            text-sm hover:border-edge`}
        >
          {question}
        </button>
      ))}
    </div>
  );
}
