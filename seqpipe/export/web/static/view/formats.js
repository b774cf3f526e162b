// Numbers as a person reads them.

export const percent = (share) => (share < 0.005 ? "under 1 %" : `${Math.round(100 * share)} %`);
export const seconds = (value) => `${value.toFixed(2)} s`;
export const clock = (value) => `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, "0")}`;
export const number = (value) => String(Number(value.toPrecision(4)));
