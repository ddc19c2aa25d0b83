'use client';

import { Button } from '@/components/button';
import { Icon, type IconName } from '@/components/icon';
import type { StoredProblem } from '@/lib/api/problem';
import { detail, explain, remedies, type Remedy } from '@/lib/strings/problems';
import { ui } from '@/lib/strings/ui';
import { useTick } from '@/lib/use-tick';

interface Props {
  problem: StoredProblem;
  /** When it happened, ms; a wait is counted from there. */
  since: number;
  onRemedy: (remedy: Exclude<Remedy, null>) => void;
}

const icons: Record<Exclude<Remedy, null>, IconName> = {
  retry: 'retry',
  wait: 'retry',
  quick: 'retry',
  longer: 'retry',
  trim: 'film',
  choose: 'film',
  key: 'system',
};

/** What went wrong, in a sentence, and the thing to do about it. */
export function ProblemCard({ problem, since, onRemedy }: Props) {
  const { text, remedy } = explain(problem);
  const until = since + 1000 * (problem.retryAfterS ?? 0);
  const waiting = remedy === 'wait' && until > since;
  const left = Math.ceil((until - useTick(waiting, 500)) / 1000);
  const more = detail(problem);
  return (
    <div
      role="alert"
      data-testid="error"
      data-code={problem.code}
      className="flex gap-3 rounded-xl bg-bad-wash p-4"
    >
      <Icon name="warn" className="mt-0.5 size-5 text-bad" />
      <div className="min-w-0 flex-1 space-y-2">
        <p className="font-medium text-bad">{text}</p>
        {more && <p className="text-sm first-letter:uppercase wrap-anywhere">{more}</p>}
        {remedy && (
          <Button
            data-testid="retry"
            icon={icons[remedy]}
            disabled={waiting && left > 0}
            onClick={() => onRemedy(remedy)}
          >
            {remedies[remedy]}
            {waiting && left > 0 && ` (${ui.seconds(String(left))})`}
          </Button>
        )}
      </div>
    </div>
  );
}
