'use client';

import { ui } from '@/lib/strings/ui';
import { useRecentQuestions } from './recent';

interface Props {
  /** The demo model answers, which does not know every wording. */
  demo: boolean;
  onPick: (question: string) => void;
}

/** Questions to begin with. */
export function Examples({ demo, onPick }: Props) {
  return <Row label={ui.ask.examples} questions={ui.exampleQuestions(demo)} onPick={onPick} />;
}

/** What was asked lately; known only in the browser, so it stands where it moves nothing else. */
export function Recent({ onPick }: Pick<Props, 'onPick'>) {
  const recent = useRecentQuestions().slice(0, 4);
  return recent.length === 0 ? null : (
    <Row label={ui.ask.recent} questions={recent} onPick={onPick} />
  );
}

function Row(props: { label: string; questions: string[]; onPick: (question: string) => void }) {
  return (
    <div className="flex flex-wrap items-center gap-1.5 noscript:hidden">
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
