/** Where in the sources is what a stack has in a bundle. */
import * as Fs from "node:fs"
import { SourceMap } from "node:module"
import { fileURLToPath, pathToFileURL } from "node:url"

/**
 * Puts the places in the sources into a text that has places in the files of a folder, each with its source map.
 *
 * Maps are read when the first place is found, and kept. What is not in them stays.
 */
export const make = (folder: URL): (text: string) => string => {
  const maps = new Map<string, SourceMap | undefined>()
  const mapOf = (file: string) => {
    if (!maps.has(file)) maps.set(file, read(new URL(`${file}.map`, folder)))
    return maps.get(file)
  }
  const place = new RegExp(`(?:file://)?${escape(fileURLToPath(folder))}([\\w-]+\\.mjs):(\\d+)(?::(\\d+))?`, "g")
  return (text) =>
    text.replace(place, (found: string, file: string, line: string, column: string | undefined) => {
      const origin = mapOf(file)?.findOrigin(Number(line), Number(column ?? 1))
      if (origin === undefined || !("fileName" in origin) || origin.fileName === undefined) return found
      const { columnNumber, fileName, lineNumber } = origin
      const url = fileName.startsWith("file:") ? fileName : pathToFileURL(fileURLToPath(new URL(fileName, folder))).href
      return column === undefined ? `${url}:${lineNumber}` : `${url}:${lineNumber}:${columnNumber}`
    })
}

const escape = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")

const read = (file: URL): SourceMap | undefined => {
  try {
    return new SourceMap(JSON.parse(Fs.readFileSync(file, "utf8")))
  } catch {
    return undefined
  }
}
