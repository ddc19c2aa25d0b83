import type { Profile } from '@/lib/api/types';
import { ui } from '@/lib/strings/ui';

const order: Profile[] = ['quick', 'balanced', 'detailed', 'checkpoint'];

interface Props {
  value: Profile;
  onChange: (profile: Profile) => void;
}

/** Native radio buttons: they also go with the form that is sent without scripts. */
export function Presets({ value, onChange }: Props) {
  return (
    <fieldset className="min-w-0">
      <legend className="mb-1.5 text-sm font-semibold">{ui.params.label}</legend>
      <div className="grid grid-cols-4 gap-0.5 rounded-xl bg-sunk p-1 sm:gap-1">
        {order.map((profile) => (
          <label
            key={profile}
            title={ui.params.presets[profile].help}
            className={`flex min-h-9 cursor-pointer items-center justify-center rounded-lg
              text-[0.8125rem] sm:text-sm font-medium text-soft outline-offset-2 hover:text-ink
              has-checked:bg-card has-checked:text-ink has-checked:shadow-sm
              has-focus-visible:outline-2 has-focus-visible:outline-brand`}
          >
            <input
              type="radio"
              name="profile"
              value={profile}
              checked={value === profile}
              onChange={() => onChange(profile)}
              className="sr-only"
            />
            {ui.params.presets[profile].name}
          </label>
        ))}
      </div>
      <p className="mt-1.5 text-sm text-soft">{ui.params.presets[value].help}</p>
    </fieldset>
  );
}
