/** How what a replica says of itself, in its output or when it fails, is put into the words of who started it. */
import { Context } from "effect"

/** Set while the layer of one replica is built; elsewhere it is read as it is. */
export const ReplicaText = Context.Reference<(text: string) => string>("chorale/internal/ReplicaText", {
  defaultValue: () => (text) => text
})
