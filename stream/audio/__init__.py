"""What is listened to: devices, files and standard input, until their audio is ready for recognition.

In go the settings of an input; out come blocks of audio with what is missing before them, converted to one channel at
22 050 Hz, their levels, and what is wrong with the signal. It knows nothing of recognizers, clients and logs.
"""
