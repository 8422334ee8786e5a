import { Effect } from "effect"
import { type Benchmark, interleave, inTurns, ratioAtLeast } from "./benchmark.ts"
import { readers } from "./ocr/readers.ts"
import { samples } from "./ocr/samples.ts"

/** They take the peer nine and two seconds each time, and more than anything else they would make its pass long. */
const leftOut = ["photo.jpg", "page.png"]

/**
 * Pictures a second when all are read at once.
 *
 * A sample is one pass. The two largest pictures are left out unless the benchmark runs in its full form: with them a
 * pass of the peer takes more than ten seconds, and the ratio is in our favour, because they are what it is slowest at.
 */
export const throughput: Benchmark = {
  name: "ocr/throughput",
  measures: "samples a second, all at once, by our OCR pipeline, over @gutenye/ocr-node on the same models",
  unit: "pictures/s",
  target: ratioAtLeast(2),
  run: Effect.fnUntraced(function*({ full }) {
    const chosen = full ? samples : samples.filter(({ name }) => !leftOut.includes(name))
    const paths = chosen.map(({ path }) => path)
    const { ours, peer } = yield* readers
    const perSecond = (millis: number) => paths.length / millis * 1000
    const taken = yield* interleave({
      ours: Effect.map(ours("allAtOnce", paths), perSecond),
      peer: Effect.map(peer("allAtOnce", paths), perSecond)
    }, { rounds: 15, warmup: 2 })
    return inTurns(taken.ours, taken.peer, [
      full ? "all samples" : `without ${leftOut.join(" and ")}: npm run bench -- ocr/throughput --full has them`
    ])
  }, Effect.orDie)
}
