import type { Box } from '@/lib/answer/boxes';
import { ui } from '@/lib/strings/ui';

/** The answer's boxes over the picture, whose whole area this covers. */
export function Boxes({ boxes }: { boxes: Box[] }) {
  return (
    <div data-testid="boxes" className="pointer-events-none absolute inset-0">
      {boxes.map((box, index) => (
        <div
          key={index}
          role="img"
          aria-label={ui.player.box(box.label)}
          className={`absolute rounded-sm border-2 border-[#ffd400]
            shadow-[0_0_0_1px_rgb(0_0_0/0.7)]`}
          style={{
            left: `${box.x / 10}%`,
            top: `${box.y / 10}%`,
            width: `${box.width / 10}%`,
            height: `${box.height / 10}%`,
          }}
        >
          {box.label && (
            <span
              className={`absolute bottom-full left-0 mb-0.5 bg-[#ffd400] px-1 text-xs
              text-[#111111]`}
            >
              {box.label}
            </span>
          )}
        </div>
      ))}
    </div>
  );
}
