"""Images in conversations, through llama.cpp's library mtmd.

data URL -> checked bytes -> `Projector.read` -> pieces: tokens around images, and images
         -> `Eye` -> each image as vectors (`Sight`), kept for the next turn
         -> `SeeingPrompt` -> the stepper computes vectors where it computes tokens elsewhere
"""
