"""Pure: one bridged session, as events in and commands out."""
