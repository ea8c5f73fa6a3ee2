"""Samples in, results out: ring buffer, mel spectrogram, model, smoothing, recognizer.

In go mono samples at 22 050 Hz and a model bundle; out comes, every hop, which instrument is in front. This room knows
no clock, device, network or asyncio: time is samples divided by the rate.

`recognizer.Recognizer` is what a line, a file, a test and the benchmark use alike:

==================  =====================================================================================
`settings`          `RecognitionSettings`: model, line-up, hop, gate
`bundle`            `load`, `Bundle`: a model's files, checked against each other and against the front end
`bundle_checks`     what a bundle's json may say
`tflite_file`       `check_structure`: a .tflite file, before an interpreter parses it
`sandbox`           `check_model`: a model that is not ours, tried in a process of its own
`interpreter`       `Interpreter`: ai-edge-litert or tflite-runtime
`classifier`        `Classifier`, `Inference`: from features to calibrated probabilities, tags and an embedding
`taught`            `TaughtNames`: names besides the model's, on its embedding
`lineup`            `choose_lineup`: which instruments may be named
`ring`              `Ring`: the last seconds of audio
`front_end`         `find`: what makes a model's features, by name
`mel`               `StreamingMel`, `SAMPLE_RATE`, `Array`: the features, and the audio that they are made from
`mel_128`           `StreamingMel128`: the features of networks that hear 32 kHz
`level`             `measure_level`: RMS and peak in dBFS
`tone`              `ToneDetector`: tones that are no instrument
`smoothing`         `Smoother`: from one estimate a hop to a label that holds still
`present`           `PresentStretch`: what is heard now, since when
`guess`             `GuessTracker`: the instrument that was nearly named
`results`           `Result`: what a hop brings, and the stretches that it ends
`recognizer`        `Recognizer`: all of this, one hop after the other
==================  =====================================================================================
"""
