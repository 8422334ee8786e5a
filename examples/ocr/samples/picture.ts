/** How a picture of this folder is described and drawn. */
/** A piece of text, its x and y those of its baseline. */
export type Text = {
  readonly text: string
  readonly x: number
  readonly y: number
  readonly size: number
  readonly font?: string
  readonly color?: string
  readonly anchor?: "start" | "middle" | "end"
  readonly weight?: "normal" | "bold"
}

/** A picture by what is drawn in it; `rows` are in reading order. */
export type Picture = {
  readonly name: string
  readonly width: number
  readonly height: number
  readonly background: string
  readonly rows: ReadonlyArray<ReadonlyArray<Text>>
  /** An SVG transform of all the text. */
  readonly transform?: string
  /** Standard deviation of the noise over the picture, 0 to 255. */
  readonly noise?: number
  readonly blur?: number
  /** JPEG quality; a PNG without it. */
  readonly quality?: number
}

/** The picture without its noise, as SVG. */
export const toSvg = ({ background, height, rows, transform, width }: Picture): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${background}` +
  `<g transform="${transform ?? ""}">${rows.flat().map(element).join("")}</g></svg>`

/** A background of one colour. */
export const filled = (color: string) => `<rect width="100%" height="100%" fill="${color}"/>`

/** A background that goes from one colour to the next, from the top left to the bottom right. */
export const gradient = (...colors: ReadonlyArray<string>) =>
  `<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1">${
    colors.map((color, index) => `<stop offset="${index / (colors.length - 1)}" stop-color="${color}"/>`).join("")
  }</linearGradient></defs><rect width="100%" height="100%" fill="url(#g)"/>`

/** Lines of text below each other, `leading` pixels apart. */
export const paragraph = (
  lines: ReadonlyArray<string>,
  { leading, ...style }: Omit<Text, "text"> & { readonly leading: number }
) => lines.map((text, index) => [{ ...style, text, y: style.y + index * leading }])

const escape = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

const element = (
  { anchor = "start", color = "#1c1c1c", font = "Liberation Sans", size, text, weight = "normal", x, y }: Text
) =>
  `<text x="${x}" y="${y}" font-family="${font}" font-size="${size}" font-weight="${weight}" fill="${color}" ` +
  `text-anchor="${anchor}">${escape(text)}</text>`
