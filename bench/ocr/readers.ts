/** Our pipeline and its peer, loaded and warm. */
import { Effect } from "effect"
import { start } from "../child.ts"
import type { Reader } from "./reader.ts"

/** Starts both; they answer only what they are asked, so that one rests while the other reads. */
export const readers = Effect.gen(function*() {
  return {
    ours: yield* start<Reader>(new URL("./ours.ts", import.meta.url)),
    peer: yield* start<Reader>(new URL("./peer.ts", import.meta.url))
  }
})
