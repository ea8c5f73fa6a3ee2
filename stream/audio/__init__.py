"""Audio from a device, a file or standard input, until it is ready for recognition.

In go `AudioSettings`. Out come blocks of audio with what is missing before them, converted to one channel at 22 050 Hz;
their levels; and warnings about the signal. This room knows nothing of recognizers, messages, clients and logs.

`capture.Capture` is what a service uses: it opens the source that the settings name and opens it again when it is lost.
A source runs a thread of its own and puts audio into a queue for the event loop:

==================  =====================================================================================
`settings`          `AudioSettings`: what to listen to
`pcm`               `PcmFormat`: the format of raw audio
`source`            `Source`, what all have in common; `open_source` opens the one in the settings
`devices`           `list_devices`, `find_device`: what PortAudio offers and how one is chosen
`microphone`        `Microphone`: one open input
`sound_server`      `ServerMicrophone`: an input of PulseAudio or PipeWire with the channels that it has
`portaudio`         the PortAudio library: loaded, started anew, its errors in plain words
`sound_file`        `open_file_source`, `open_demo_source`, `open_sound_file`: files
`audio_file`        `AudioFile`: all parts of a file, in one form; `Part`, what each library reads of it
`form_converter`    `FormConverter`: parts of other forms in that of the first
`libsndfile`        `file_parts`, `stream_parts`: parts that libsndfile reads
`pyav`              `PyavPart`: a file that FFmpeg reads, where it is installed
`rescue`            `RescuedPart`: a FLAC beyond its damage
`byte_stream`       `ByteStream`: bytes in parts; `Piped`: a part as a pipe
`joints`            `Joints`: where the next part begins
`header_sizes`      `find_audio`: how much audio there is, whatever the header says
`file_kind`         `file_kind`: a format by its first bytes
`stream_file`       `open_stream_file`: files that come through a pipe
`raw_pcm`           `open_pcm_source`: standard input
`paced_reader`      `PacedReader`: the thread that reads files and standard input at the pace of real time
`block_queue`       `BlockQueue`, `Block`: from the thread to the event loop
`gaps`              `GapDetector`: how much captured audio is missing
`capture`           `Capture`: one source after the other, for as long as the service runs
`channel_levels`    `ChannelCells`, `ChannelLevels`: what is measured of each channel, ten times a second
`channel_choice`    `ChannelChoice`: whether the average of the channels is heard, or one of them
`channel_mixer`     `ChannelMixer`: from the channels to the one that is heard
`successor`         `Successor`: a second opening of a source that takes the place of the first
`converter`         `Converter`: channel, resampling, samples that are not numbers
`meter`             `LevelMeter`, `LevelReading`: the level, twenty times a second
`signal_monitor`    `SignalMonitor`: clipping, offset, silence, zeros
`channel_check`     `ChannelCheck`: what is wrong with each channel, for the check of lines
`mains_hum`         `MainsHum`: hum at 50 or 60 Hz, found in what `low_band` leaves
`channel_copies`    `ChannelCopies`: channels that carry one signal twice
`full_scale_runs`   `FullScaleRuns`: samples that stay at full scale
`truncation`        `DeclaredLength`: how much of a file is missing
==================  =====================================================================================
"""
