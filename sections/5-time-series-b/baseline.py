"""The simplest honest model: every hour as it was a week before. It scores 1 by definition."""

import keras

HOURS, FEATURES, AHEAD = 168, 7, 24
LOAD = 0  # place of the load among the features

week = keras.Input((HOURS, FEATURES), name="week")
week_before = week[:, :AHEAD, LOAD]  # the first day of a week's window
keras.Model(week, week_before).save("model.keras")
