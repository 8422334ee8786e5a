/** What the two readers of pictures are asked, each in a process of its own. */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { setTimeout } from "node:timers/promises"

/** A process that reads pictures. */
export type Reader = {
  /** Reads pictures one after another; the milliseconds and the text of each. */
  readonly oneByOne: (paths: ReadonlyArray<string>) => Promise<ReadonlyArray<Reading>>
  /** Reads pictures all at once; the milliseconds until the last is read. */
  readonly allAtOnce: (paths: ReadonlyArray<string>) => Promise<number>
  /** Reads each picture again and again, all at once, for so long, and watches the event loop meanwhile. */
  readonly load: (payload: { readonly paths: ReadonlyArray<string>; readonly seconds: number }) => Promise<LoopDelay>
}

export interface Reading {
  readonly millis: number
  /** One line of text a row. */
  readonly text: string
}

/** How late, in milliseconds, a timer of one millisecond was in a period of load; `ticks` is how often it fired. */
export interface LoopDelay {
  readonly seconds: number
  readonly pictures: number
  readonly ticks: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** The answers of a process that reads one picture by that function. */
export const reader = (read: (path: string) => Promise<string>): Reader => ({
  async oneByOne(paths) {
    const readings: Array<Reading> = []
    for (const path of paths) {
      const start = performance.now()
      const text = await read(path)
      readings.push({ millis: performance.now() - start, text })
    }
    return readings
  },
  async allAtOnce(paths) {
    const start = performance.now()
    await Promise.all(paths.map(read))
    return performance.now() - start
  },
  async load({ paths, seconds }) {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    // The monitor counts from its first tick on, and a delay only with the tick that ends it.
    delay.enable()
    await setTimeout(5)
    delay.reset()
    const start = performance.now()
    const end = start + seconds * 1000
    let pictures = 0
    await Promise.all(paths.map(async (path) => {
      while (performance.now() < end) {
        await read(path)
        pictures++
      }
    }))
    const elapsed = performance.now() - start
    await setTimeout(5)
    delay.disable()
    return {
      seconds: elapsed / 1000,
      pictures,
      ticks: delay.count,
      p50: delay.percentile(50) / 1e6,
      p99: delay.percentile(99) / 1e6,
      max: delay.max / 1e6
    }
  }
})
