import type { ReactNode } from 'react';
import { Icon, type IconName } from './icon';

interface Props {
  icon: IconName;
  /** What the group does, for those who do not see the icon. */
  label: string;
  children: ReactNode;
}

/** Buttons that do the same thing in several ways, behind one icon. */
export function Actions({ icon, label, children }: Props) {
  return (
    <div role="group" aria-label={label} className="flex flex-wrap items-center">
      <Icon name={icon} className="mr-1 size-4.5 text-soft" />
      {children}
    </div>
  );
}
