import type { ComponentProps } from 'react';
import { Icon, type IconName } from './icon';

const kinds = {
  primary: 'bg-brand text-brand-ink hover:brightness-110 active:brightness-95',
  plain: 'border border-line bg-card px-3 text-ink hover:border-edge',
  quiet: 'px-2 text-soft hover:bg-sunk hover:text-ink',
};

interface Props extends ComponentProps<'button'> {
  kind?: keyof typeof kinds;
  icon?: IconName;
}

export function Button({ kind = 'plain', icon, className = '', children, ...rest }: Props) {
  return (
    <button
      type="button"
      className={`inline-flex min-h-9 items-center justify-center gap-2 rounded-lg text-sm
        font-medium transition-colors disabled:opacity-50 ${kinds[kind]} ${className}`}
      {...rest}
    >
      {icon && <Icon name={icon} className="size-4.5" />}
      {children}
    </button>
  );
}

interface IconButtonProps extends Omit<ComponentProps<'button'>, 'children'> {
  icon: IconName;
  label: string;
}

/** A square button whose name only a screen reader and a tooltip say. */
export function IconButton({ icon, label, className = '', ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={`inline-flex size-9 shrink-0 items-center justify-center rounded-lg text-soft
        transition-colors hover:bg-sunk hover:text-ink disabled:opacity-50 ${className}`}
      {...rest}
    >
      <Icon name={icon} />
    </button>
  );
}
