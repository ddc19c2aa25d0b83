interface Props {
  /** 0..1, or null when nobody knows how much there is. */
  share: number | null;
  label: string;
}

export function Bar({ share, label }: Props) {
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={share === null ? undefined : Math.round(share * 100)}
      className="h-1.5 w-full overflow-hidden rounded-full bg-sunk"
    >
      {share === null ? (
        <div className="h-full w-1/3 animate-slide rounded-full bg-brand" />
      ) : (
        <div
          className="h-full rounded-full bg-brand transition-[width] duration-200"
          style={{ width: `${share * 100}%` }}
        />
      )}
    </div>
  );
}
