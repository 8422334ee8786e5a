/**
 * Audio that the example makes itself: a voice, a tone, and noise, at 16 kHz.
 *
 * The voice is a train of glottal pulses through four resonances, those of vowels that change five times a second (the
 * source-filter model of speech). It says nothing, and is a voice to the detector and to the ear.
 */
const sampleRate = 16_000

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
export const random = (seed: number): () => number => () => {
  seed = seed + 0x6d2b79f5 | 0
  let mixed = Math.imul(seed ^ seed >>> 15, 1 | seed)
  mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed
  return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32
}

/** Noise as of a quiet room. */
export const noise = (seconds: number, seed: number): Float32Array => {
  const next = random(seed)
  return Float32Array.from({ length: seconds * sampleRate }, () => 0.01 * (2 * next() - 1))
}

/** A pure tone, which is no voice. */
export const tone = (seconds: number, hertz: number): Float32Array =>
  Float32Array.from({ length: seconds * sampleRate }, (_, at) => 0.3 * Math.sin(2 * Math.PI * hertz * at / sampleRate))

/** The resonances of five vowels in hertz (Peterson and Barney, 1952), and their widths. */
const vowels = [
  [730, 1090, 2440, 3400],
  [270, 2290, 3010, 3600],
  [300, 870, 2240, 3300],
  [530, 1840, 2480, 3500],
  [570, 840, 2410, 3300]
] as const
const widths = [80, 90, 120, 150] as const

const syllable = 0.2 * sampleRate

/** Somebody who speaks at about that pitch. */
export const voice = (seconds: number, hertz: number, seed: number): Float32Array => {
  const next = random(seed)
  const resonators = widths.map(resonator)
  const samples = new Float32Array(seconds * sampleRate)
  let vowel: (typeof vowels)[number] = vowels[0]
  let phase = 0
  for (let at = 0; at < samples.length; at++) {
    const within = at % syllable
    if (within === 0) vowel = vowels[Math.floor(next() * vowels.length)] ?? vowel
    const vibrato = 1 + 0.02 * Math.sin(2 * Math.PI * 5 * at / sampleRate)
    phase = (phase + hertz * vibrato / sampleRate) % 1
    const loudness = Math.min(1, within / 320, (syllable - within) / 640)
    const source = glottis(phase) + 0.02 * (2 * next() - 1)
    samples[at] = loudness * resonators.reduce((sound, resonate, index) => resonate(sound, vowel[index] ?? 0), source)
  }
  const loudest = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)
  return samples.map((sample) => 0.5 * sample / loudest)
}

/** The flow through the vocal folds, which are open for six tenths of a period. */
const glottis = (phase: number): number => phase < 0.6 ? Math.sin(2 * Math.PI * phase / 0.6) : 0

/** A resonance of that width in hertz, whose frequency may change from sample to sample. */
const resonator = (width: number) => {
  const decay = Math.exp(-Math.PI * width / sampleRate)
  let last = 0
  let before = 0
  return (sound: number, hertz: number): number => {
    const turn = 2 * decay * Math.cos(2 * Math.PI * hertz / sampleRate)
    const resonating = sound * (1 - turn + decay * decay) + turn * last - decay * decay * before
    before = last
    last = resonating
    return resonating
  }
}
