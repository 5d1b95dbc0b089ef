"""How long runs of the job take and what they use: one model for whoever forecasts, advises or prices."""
