// Does not compile: the page's query selects no such field. It shows that the types are checked.
import type { ParkedQuery } from "./api.js";

export function misread(parked: ParkedQuery): unknown {
  return parked.viewer?.fingerprint;
}
