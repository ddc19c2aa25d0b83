import { Actions } from '@/components/actions';
import { Button } from '@/components/button';
import type { Profile } from '@/lib/api/types';
import type { Params } from '@/lib/session/types';
import { ui } from '@/lib/strings/ui';

interface Props {
  /** Of the answer. */
  params: Params;
  /** Those that are chosen for the next question. */
  chosen: Params;
  onRetry: (params: Params) => void;
}

const others = (profile: Profile): Profile[] =>
  (['quick', 'balanced', 'detailed'] as Profile[]).filter((other) => other !== profile);

/** What makes an answer another one, but for the preset: each preset has a button of its own. */
const settings = (params: Params) => JSON.stringify({ ...params, profile: null, timeoutMin: null });

/** The same question again, as it was or with another look at the video. */
export function RetryMenu({ params, chosen, onRetry }: Props) {
  const changed = settings(chosen) !== settings(params);
  return (
    <Actions icon="retry" label={ui.answer.retryMenu}>
      <Button kind="quiet" data-testid="retry" onClick={() => onRetry(params)}>
        {ui.answer.retry}
      </Button>
      {others(params.profile).map((profile) => {
        const { name } = ui.params.presets[profile];
        return (
          <Button
            key={profile}
            kind="quiet"
            aria-label={ui.answer.retryAs(name)}
            onClick={() => onRetry({ ...params, profile })}
          >
            {name}
          </Button>
        );
      })}
      {changed && (
        <Button kind="quiet" data-testid="retry-chosen" onClick={() => onRetry(chosen)}>
          {ui.answer.retryNow}
        </Button>
      )}
    </Actions>
  );
}
